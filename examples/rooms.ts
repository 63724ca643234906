// Rooms, and who is online in each. A user may have several tabs: the room is told when the first one opens,
// and when the last one has ended. Start it with `npx tsx examples/rooms.ts`, connect with
// `npx wscat -c 'ws://127.0.0.1:3000/rooms/tea?user=ada'`, and ask who is online with
// `curl http://127.0.0.1:3000/rooms/tea/online`.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { type LifecycleSocket } from 'fastify-websocket-lifecycle'

/** The sockets of each user in the room: one for each tab. */
type Room = Map<string, Set<LifecycleSocket>>
type Visit = { Params: { id: string }; Querystring: { user: string } }

const name = { type: 'string', minLength: 1 }
const querystring = { type: 'object', required: ['user'], properties: { user: name } }

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)
  const rooms = new Map<string, Room>()
  app.get<Visit>(
    '/rooms/:id',
    {
      websocket: true,
      schema: { querystring }, // stands for authentication: here everybody is believed (see jwt-auth.ts)
      async onMessage(_socket, { params, query }, message) {
        tell(rooms.get(params.id), { from: query.user, text: String(message) })
      },
    },
    (socket, { params: { id }, query: { user } }) => {
      const room: Room = rooms.get(id) ?? new Map()
      const tabs = room.get(user) ?? new Set()
      if (tabs.size === 0) tell(room, { joined: user })
      rooms.set(id, room.set(user, tabs.add(socket)))
      socket.send(JSON.stringify({ online: [...room.keys()] }))
      // Runs once, however the connection ends, and after its last message has been handled.
      socket.scope.defer(() => {
        tabs.delete(socket)
        if (tabs.size > 0) return
        room.delete(user)
        tell(room, { left: user })
        if (room.size === 0) rooms.delete(id)
      })
    },
  )

  app.get<Visit>('/rooms/:id/online', async ({ params }) => [
    ...(rooms.get(params.id)?.keys() ?? []),
  ])
  return app
}

function tell(room: Room = new Map(), message: object): void {
  const text = JSON.stringify(message)
  for (const tabs of room.values()) for (const socket of tabs) socket.send(text)
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
