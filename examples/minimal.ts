// The smallest useful WebSocket server. Start it with `npx tsx examples/minimal.ts`, and talk to it
// with `npx wscat -c ws://127.0.0.1:3000/echo`.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  // In place of @fastify/websocket. It has to be awaited, so that it sees the routes that follow.
  await app.register(websocketLifecycle)

  app.get(
    '/echo',
    {
      websocket: true,
      // Runs exactly once for each connection, and tells why it ended.
      onClose(_socket, request, close) {
        request.log.info({ cause: close.cause, code: close.code }, 'a client has left')
      },
    },
    (socket) => {
      // It needs no 'error' listener, no heartbeat and no try and catch. A client that resets the
      // connection, disappears or sends garbage ends its own connection, and no other.
      socket.on('message', (data, isBinary) => {
        socket.send(data, { binary: isBinary })
      })
    },
  )

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
