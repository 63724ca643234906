// Ten thousand connections come, are members, and go in every way: nothing is left of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { LifecycleSocket } from '../../lib/index.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { CROWD } from '../support/servers/tls-pass.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const AT_ONCE = 100
const TIMES = 100 / CROWD

const GOODBYES: ReadonlyArray<(peer: RawPeer, socket: LifecycleSocket) => void> = [
  (peer) => peer.send(RawPeer.closeFrame(1000)),
  (peer) => peer.destroy(),
  (peer) => peer.socket.resetAndDestroy(),
  (_peer, socket) => socket.terminate(),
  (_peer, socket) => socket.close(4000),
]

const leftOf = (kept: ReadonlyArray<WeakRef<LifecycleSocket>>): number =>
  kept.filter((one) => one.deref() !== undefined).length

test(`${TIMES * AT_ONCE} connections come and go, and no member and no group is left`, async (t) => {
  const kept: Array<WeakRef<LifecycleSocket>> = []
  const room: Array<[id: string, socket: LifecycleSocket]> = []
  const app = await serve(t, {
    options: { closeTimeout: 100 },
    routes: (instance) => {
      instance.get(
        '/:id',
        { websocket: true, groups: ({ ip }) => ['all', ip] },
        (socket, { url }) => {
          room.push([url.slice(1), socket])
          kept.push(new WeakRef(socket))
        },
      )
    },
  })
  const { groups } = app.websocketLifecycle
  const all = app.websocketLifecycle.group('all')
  // In a function of its own: what is left in a frame that waits counts as kept.
  const comeAndGo = async (time: number): Promise<void> => {
    const peers = await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, id) => RawPeer.open(portOf(app), `/${id}`)),
    )
    await until(() => room.length === AT_ONCE)
    app.websocketLifecycle.group(`room ${time}`).add(room[0]?.[1] as LifecycleSocket)
    const sockets = new Map(room.splice(0))
    assert.deepEqual(all.send('hello'), { sent: AT_ONCE, dropped: 0 })
    for (const [id, peer] of peers.entries()) {
      GOODBYES[id % GOODBYES.length]?.(peer, sockets.get(String(id)) as LifecycleSocket)
    }
    all.send('to those who are left')
    await until(() => groups.size === 0)
    for (const peer of peers) peer.destroy()
  }
  for (let time = 0; time < TIMES; time++) await comeAndGo(time)
  assert.equal(kept.length, TIMES * AT_ONCE)
  await until(() => app.websocketLifecycle.connections.size === 0)
  await until(() => {
    collect()
    return leftOf(kept) === 0
  })
  assert.equal(all.size, 0)
})
