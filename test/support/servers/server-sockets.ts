import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** The TCP connections that an app has, from now on; one is in it until its file descriptor is gone. */
export function serverSockets(app: FastifyInstance): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}
