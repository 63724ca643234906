// Groups: who is in them, and what they send.
import Fastify from 'fastify'
import websocketLifecycle, {
  type Group,
  type GroupMember,
  type GroupSendOptions,
  type GroupSendResult,
  type LifecycleSession,
  type LifecycleSocket,
} from 'fastify-websocket-lifecycle'
import { exactly } from './exactly.js'

const app = Fastify()
await app.register(websocketLifecycle, { groups: (request) => request.ip })

declare const socket: LifecycleSocket
declare const session: LifecycleSession
const room = app.websocketLifecycle.group('room:7')
exactly<Group>()(room)
exactly<string>()(room.name)
exactly<number>()(room.size)
exactly<boolean>()(room.add(socket))
exactly<boolean>()(room.add(session))
exactly<boolean>()(room.has(socket))
exactly<boolean>()(room.delete(session))
exactly<GroupSendResult>()(room.send('text'))
exactly<{ readonly sent: number; readonly dropped: number }>()(room.send(Buffer.of(1)))
room.send('text', { except: socket, binary: true, compress: false })
const options: GroupSendOptions = { except: session }
room.send(new Uint8Array(1), options)
exactly<void>()(room.close(4000, 'over'))
room.close()
for (const member of room) {
  exactly<GroupMember>()(member)
  exactly<string>()(member.id)
  exactly<boolean>()(member.send('to one'))
  exactly<readonly string[]>()(member.groups)
  member.close(4000)
}
exactly<ReadonlyMap<string, Group>>()(app.websocketLifecycle.groups)
exactly<readonly string[]>()(socket.groups)
exactly<readonly string[]>()(session.groups)
exactly<readonly string[]>()(app.websocketLifecycle.describe(socket).groups)

app.get('/one', { websocket: true, groups: () => 'one' }, () => {})
app.get('/several', { websocket: true, groups: () => ['one', 'two'] as const }, () => {})
app.get('/none', { websocket: true, groups: () => undefined }, () => {})
app.get<{ Params: { id: string } }>(
  '/room/:id',
  { websocket: true, groups: ({ params }) => `room:${params.id}` },
  () => {},
)
app.get(
  '/session',
  { websocket: true, resume: { key: () => null }, groups: (request) => request.ip },
  (one) => void app.websocketLifecycle.group('all').add(one),
)

// @ts-expect-error a promise is no name
app.get('/late', { websocket: true, groups: async () => 'late' }, () => {})
// @ts-expect-error no socket
room.add('socket')
// @ts-expect-error a message to many is whole
room.send('text', { fin: false })
// @ts-expect-error only the plugin changes which groups there are
app.websocketLifecycle.groups.delete('room:7')
