// The first example of the README: a chat room. Start it with `npx tsx examples/first.ts`, connect two
// clients with `npx wscat -c ws://127.0.0.1:3000/chat`, and write. Each of them gets every message.
import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

const app = Fastify({ logger: true })
await app.register(websocketLifecycle) // in place of @fastify/websocket

const room = app.websocketLifecycle.group('chat')

app.get(
  '/chat',
  {
    websocket: true,
    async onMessage(_socket, _request, message) {
      room.send(message) // to all of them; one message at a time, in order
    },
    onUnexpectedClose(_socket, request, close) {
      request.log.warn({ cause: close.cause }, 'lost a member')
    },
  },
  (socket) => {
    room.add(socket) // it leaves by itself, however the connection ends
  },
)

await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
