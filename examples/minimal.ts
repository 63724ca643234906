// The least that a WebSocket server needs. Start it with `npx tsx examples/minimal.ts`, and talk to
// it with `npx wscat -c ws://127.0.0.1:3000/echo`.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  // In place of @fastify/websocket. Awaited, so that it sees the routes that follow.
  await app.register(websocketLifecycle)

  app.get(
    '/echo',
    {
      websocket: true,
      // Exactly once for each connection, however it ended: this is the place to learn why.
      onClose(_socket, request, close) {
        request.log.info({ cause: close.cause, code: close.code }, 'a client has left')
      },
    },
    (socket) => {
      // No 'error' listener, no heartbeat, no try and catch: a client that resets, falls silent or
      // sends garbage ends its own connection, and nothing else.
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
