/** Some requests have a store, and zlib goes on with the messages of all: who has none sees none. Prints who saw whose. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'

const store = new AsyncLocalStorage<string>()
const seen = new Set<string>()
const app = Fastify()
await app.register(websocketLifecycle, { websocket: { perMessageDeflate: true } })
app.addHook('onRequest', (request, _reply, done) => {
  if (request.headers['x-user'] === 'ann') store.run('ann', done)
  else done()
})
app.get(
  '/',
  {
    websocket: true,
    onMessage: (socket, request) => {
      seen.add(`${String(request.headers['x-user'])}: ${store.getStore()}`)
      socket.send('x')
    },
  },
  () => {},
)
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo
const peers: RawPeer[] = []
for (let i = 0; i < 30; i++) {
  const user = i % 3 === 0 ? 'nobody' : 'ann'
  peers.push(await RawPeer.open(port, '/', { 'x-user': user, ...DEFLATE }))
}
// The second read waits in node until the first one is inflated.
for (const peer of peers) peer.send(RawPeer.deflated('x'.repeat(1_000_000)))
await turn()
await turn()
for (const peer of peers) peer.send(RawPeer.frame(OPCODE.text, 'y'))
for (const peer of peers) for (let i = 0; i < 2; i++) await peer.nextOf(OPCODE.text)
console.log([...seen].toSorted().join(', '))
await app.close()
