// One message for many clients. Some of them read slowly, or not at all: the others do not wait for them,
// and the memory for their messages is bounded. Start it with `npx tsx examples/fan-out.ts`, and chat with
// `npx wscat -c ws://127.0.0.1:3000/chat`. Each price that you post to /prices is sent to /ticker.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { type LifecycleSocket } from 'fastify-websocket-lifecycle'

type Room = Set<LifecycleSocket>

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)

  // Here every message counts. A client for which more than 1 MiB waits is closed with 1013. It may come back.
  const members: Room = new Set()
  app.get(
    '/chat',
    {
      websocket: true,
      onMessage: (_socket, _request, message) => sendAll(members, message),
      onUnexpectedClose: (_socket, request, { cause }) => request.log.warn({ cause }, 'lost one'),
    },
    (socket) => join(members, socket),
  )

  // Here only the newest price counts. A client for which 64 KiB wait gets no more prices until it has read some.
  const watchers: Room = new Set()
  app.get(
    '/ticker',
    { websocket: true, outbox: { maxBytes: 65_536, overflow: 'drop' } },
    (socket) => join(watchers, socket),
  )
  app.post('/prices', async ({ body }) => {
    sendAll(watchers, JSON.stringify(body))
    return { watchers: watchers.size }
  })

  app.get('/waiting', async () => {
    const { connections } = app.websocketLifecycle
    const { dropped } = app.websocketLifecycle.stats()
    return { bytes: Array.from(connections, ({ bufferedAmount }) => bufferedAmount), dropped }
  })

  return app
}

function join(room: Room, socket: LifecycleSocket): void {
  room.add(socket)
  socket.scope.defer(() => room.delete(socket))
}

/** There is nothing to await and nothing to catch. A slow reader does not delay the others. */
function sendAll(room: Room, message: string | Buffer): void {
  for (const socket of room) socket.send(message)
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
