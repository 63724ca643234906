import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'

/** The room as `@fastify/websocket` alone has it: it tells with which code each socket closed. */
export async function plainRoom(tellClose: (code: number) => void): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(websocket, { options: { maxPayload: 4_096 } })
  app.get<{ Querystring: { fault?: string } }>(
    '/room',
    { websocket: true },
    (socket, { query: { fault } }) => {
      socket.on('close', tellClose)
      socket.on('message', async (data: Buffer) => {
        const text = data.toString()
        if (text === '/kick') socket.close(4001, 'kicked')
        if (text === '/terminate') socket.terminate()
        if (text === '/reject') throw new Error('This listener rejects')
      })
      if (fault === 'throw') throw new Error('This handler throws')
    },
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}
