// One message for many clients. Some of them read slowly, or not at all: the others do not wait for them, and
// what becomes of them is the policy of their route. Start it with `npx tsx examples/fan-out.ts`, and chat with
// `npx wscat -c ws://127.0.0.1:3000/chat`. Each price that you post to /prices is sent to /ticker.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)

  // Every message counts. A reader for whom more than 1 MiB waits is closed with 1013: it knows that it has
  // missed something, and comes back.
  const members = app.websocketLifecycle.group('chat')
  app.get(
    '/chat',
    {
      websocket: true,
      groups: () => 'chat',
      onMessage: (_socket, _request, message) => void members.send(message),
      onUnexpectedClose: (_socket, request, { cause }) => request.log.warn({ cause }, 'lost one'),
    },
    () => {},
  )

  // Only the newest price counts. A reader for whom 64 KiB wait stays, and gets no more prices until it has read
  // some.
  const watchers = app.websocketLifecycle.group('prices')
  app.get(
    '/ticker',
    {
      websocket: true,
      groups: () => 'prices',
      outbox: { maxBytes: 65_536, overflow: 'drop' },
    },
    () => {},
  )
  // Answers how many get it, and for how many there was no room: { "sent": 7, "dropped": 1 }.
  app.post('/prices', async ({ body }) => watchers.send(JSON.stringify(body)))

  app.get('/waiting', async () =>
    Array.from(app.websocketLifecycle.connections, ({ bufferedAmount }) => bufferedAmount),
  )

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
