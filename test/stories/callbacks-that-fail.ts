/**
 * Every callback that can fail, in every way, in a process without a safety net. With `bare`, the
 * same on @fastify/websocket: one listener that fails, which is enough.
 */
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { fastifyWebsocketLifecycle } from '../../lib/index.js'
import { ERROR_PLACES, FAULTS, LATE_PLACES, type Place, PLACES } from '../support/models/faults.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/server.js'

const [mode, only] = process.argv.slice(2)
const badFrame = RawPeer.bytes(0x83, 'x')
const queue: Array<(socket: LifecycleSocket) => unknown> = []

const app = Fastify()
const fails = (): unknown => current(new Error('of a hook'))
let current: (value: unknown) => unknown = () => undefined
if (mode === 'bare') await app.register(fastifyWebsocket)
else {
  await app.register(fastifyWebsocketLifecycle, {
    onUnexpectedClose: fails,
    onClose: fails,
    onHandlerError: fails,
    onShutdown: fails,
  })
}
app.get('/', { websocket: true }, (socket) => queue.shift()?.(socket))
await app.listen({ host: '127.0.0.1', port: 0 })

async function live(place: Place, fault: (value: unknown) => unknown): Promise<void> {
  current = fault
  queue.push((socket) => place.arrange(socket, () => fault(new Error('of the app'))))
  const peer = await RawPeer.open(portOf(app))
  if (place.trigger !== undefined) peer.send(place.trigger)
  if (Object.values(LATE_PLACES).includes(place)) peer.reset()
  else if (Object.values(ERROR_PLACES).includes(place)) peer.send(badFrame)
  await peer.nextOf(OPCODE.close)
  peer.destroy()
}

const bystander = await RawPeer.open(portOf(app))
const places: Array<[string, Place]> = Object.entries({
  ...PLACES,
  ...LATE_PLACES,
  ...ERROR_PLACES,
})
for (const [where, place] of places) {
  if (only !== undefined && only !== where) continue
  for (const fault of Object.values(FAULTS)) await live(place, fault)
}
// A turn more, for what rejects later than its connection ends.
await new Promise((resolve) => setImmediate(resolve))
bystander.send(RawPeer.frame(OPCODE.ping))
console.log((await bystander.nextOf(OPCODE.pong)) === undefined ? 'lost' : 'alive')
void bystander.nextOf(OPCODE.close).then(() => bystander.destroy())
await app.close()
console.log('closed')
