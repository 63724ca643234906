// Rooms, and who is online in each. A user may have several tabs: the room is told when the first one opens,
// and when the last one has ended. Start it with `npx tsx examples/rooms.ts`, connect with
// `npx wscat -c 'ws://127.0.0.1:3000/rooms/tea?user=ada'`, and ask who is online with
// `curl http://127.0.0.1:3000/rooms/tea/online`.
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { type GroupMember } from 'fastify-websocket-lifecycle'

/** How many tabs each user has in the room: not yet over, though they may have left its group. */
type Online = Map<string, number>
type Visit = { Params: { id: string }; Querystring: { user: string } }

const name = { type: 'string', minLength: 1 }
const querystring = { type: 'object', required: ['user'], properties: { user: name } }

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)
  const rooms = new Map<string, Online>()
  const tell = (id: string, message: object, except?: GroupMember): void =>
    void app.websocketLifecycle.group(`room:${id}`).send(JSON.stringify(message), { except })

  app.get<Visit>(
    '/rooms/:id',
    {
      websocket: true,
      schema: { querystring }, // stands for authentication: here everybody is believed (see jwt-auth.ts)
      groups: ({ params }) => `room:${params.id}`, // a member from its open on, until it ends
      async onMessage(_socket, { params, query }, message) {
        tell(params.id, { from: query.user, text: String(message) })
      },
    },
    (socket, { params: { id }, query: { user } }) => {
      const online: Online = rooms.get(id) ?? new Map()
      const tabs = online.get(user) ?? 0
      rooms.set(id, online.set(user, tabs + 1))
      if (tabs === 0) tell(id, { joined: user }, socket)
      socket.send(JSON.stringify({ online: [...online.keys()] }))
      // Runs once, however the connection ends, and after its last message has been handled.
      socket.scope.defer(() => {
        const left = (online.get(user) ?? 0) - 1
        if (left > 0) online.set(user, left)
        else if (online.delete(user)) tell(id, { left: user })
        if (online.size === 0) rooms.delete(id)
      })
    },
  )

  app.get<Visit>('/rooms/:id/online', async ({ params }) => [
    ...(rooms.get(params.id)?.keys() ?? []),
  ])
  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
