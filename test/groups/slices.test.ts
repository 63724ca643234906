// A large group is served in slices, and each of its members in order.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { OPCODE } from '../support/peers/raw-peer.js'
import { type Crowd, serveCrowd, texts } from '../support/servers/crowd.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { clog, MORE_THAN_A_KERNEL_HOLDS, watchWrites } from '../support/servers/outbox.js'
import { during } from '../support/servers/hear.js'
import { turns } from '../support/time/fake-clock.js'
import { SlicingClock } from '../support/time/slicing-clock.js'
import type { OneRoute } from '../support/servers/server.js'

/** So many members are served in a slice. */
const SLICE = 8

/** Whose slices end when they look at the clock. */
async function serveSliced(
  t: Parameters<typeof serveCrowd>[0],
  count: number,
  setup: OneRoute = {},
): Promise<Crowd & { readonly clock: SlicingClock }> {
  const clock = new SlicingClock()
  const crowd = await serveCrowd(t, count, { clock, options: { keepalive: false }, ...setup })
  clock.step = 5
  t.after(() => (clock.step = 0))
  return { ...crowd, clock }
}

const owed = ({ sockets }: Crowd): number =>
  sockets.filter(({ bufferedAmount }) => bufferedAmount > 0).length

test(
  'a slice serves some; each turn of the loop the next ones, until all have it',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const crowd = await serveSliced(t, 3 * SLICE + 1)
    assert.deepEqual(crowd.group.send('a'), { sent: 3 * SLICE + 1, dropped: 0 })
    const left = [owed(crowd)]
    while (left.at(-1) !== 0) {
      await turn()
      left.push(owed(crowd))
    }
    assert.deepEqual(left, [2 * SLICE + 1, SLICE + 1, 1, 0])
    for (const peer of crowd.peers) assert.deepEqual(await texts(peer, 1), ['a'])
  },
)

test(
  'what is owed counts as waiting, and leaves in one write',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const { group, peers, sockets } = await serveSliced(t, SLICE + 1)
    const last = sockets.at(-1)
    assert.ok(last)
    const writes = watchWrites(last)
    for (const text of ['a', 'b', 'c']) group.send(text)
    assert.equal(last.bufferedAmount, 3)
    assert.deepEqual(await texts(peers.at(-1), 3), ['a', 'b', 'c'])
    assert.deepEqual(writes, [9])
    assert.equal(last.bufferedAmount, 0)
  },
)

test('what is sent to one alone comes behind what it is owed, and nobody else is served for it', async (t) => {
  const crowd = await serveSliced(t, 3 * SLICE)
  const last = crowd.sockets.at(-1)
  crowd.group.send('to all')
  last?.send('to one')
  crowd.group.send('to all too')
  last?.send('to one too')
  assert.equal(owed({ ...crowd, sockets: crowd.sockets.slice(0, -1) }), 3 * SLICE - 1)
  assert.deepEqual(await texts(crowd.peers.at(-1), 4), [
    'to all',
    'to one',
    'to all too',
    'to one too',
  ])
  assert.deepEqual(await texts(crowd.peers[SLICE], 2), ['to all', 'to all too'])
})

test('who comes between two slices gets nothing of before; who leaves gets what it is owed', async (t) => {
  const { app, group, open, peers, sockets } = await serveSliced(t, 2 * SLICE)
  const last = sockets.at(-1)
  const lastButOne = sockets.at(-2)
  assert.ok(last && lastButOne)
  group.send('before')
  const opening = open()
  group.delete(last)
  group.delete(lastButOne)
  group.add(lastButOne)
  await opening
  group.send('after')
  app.websocketLifecycle.group('gone').add(last)
  app.websocketLifecycle.group('gone').send('alone')
  assert.deepEqual(await texts(peers.at(-1), 1), ['after'])
  assert.deepEqual(await texts(peers.at(-2), 2), ['before', 'alone'])
  assert.deepEqual(await texts(peers.at(-3), 2), ['before', 'after'])
})

test('who ends is first handed what it is owed, if it ends by a close frame', async (t) => {
  const { group, peers, sockets } = await serveSliced(t, SLICE + 2)
  group.send('bye')
  sockets.at(-1)?.close(4000)
  sockets.at(-2)?.terminate()
  const frame = await peers.at(-1)?.next()
  assert.equal(frame?.payload.toString(), 'bye')
  assert.equal((await peers.at(-1)?.next())?.opcode, OPCODE.close)
  assert.equal(await peers.at(-2)?.next(), undefined)
  await turns()
  assert.deepEqual(group.send('x'), { sent: SLICE, dropped: 0 })
})

test('close() of a large group goes in slices; nothing that is sent later reaches the members', async (t) => {
  const crowd = await serveSliced(t, SLICE + 2)
  const { group, peers, sockets } = crowd
  group.send('bye')
  group.close(4000)
  assert.deepEqual(group.send('late'), { sent: 0, dropped: 0 })
  assert.equal(sockets.at(-1)?.send('late too'), false)
  assert.equal(sockets.at(-1)?.readyState, 2)
  for (const peer of peers) {
    assert.deepEqual(await texts(peer, 1), ['bye'])
    assert.equal((await peer.next())?.opcode, OPCODE.close)
    peer.destroy()
  }
  assert.equal(group.size, 0)
})

test('what waits is bounded by the outbox of each, however fast the group sends', async (t) => {
  const { group, sockets } = await serveSliced(t, SLICE + 1, {
    route: { outbox: { maxBytes: 100_000, overflow: 'drop' } },
  })
  const text = 'x'.repeat(10_000)
  let dropped = 0
  for (let i = 0; i < 2_000; i++) ({ dropped } = group.send(text))
  assert.ok(dropped > 0)
  const last = sockets.at(-1)
  assert.ok(last)
  const kernelTakes = 4 * 1024 * 1024
  assert.ok(last.bufferedAmount <= 100_000 + kernelTakes, `${last.bufferedAmount}`)
})

test('a listener that hears of a drop may send to the group, and order holds', async (t) => {
  const maxBytes = MORE_THAN_A_KERNEL_HOLDS + 10_000
  const { app, group, peers, sockets } = await serveSliced(t, SLICE + 2, {
    route: { outbox: { maxBytes, overflow: 'drop' } },
  })
  peers[0]?.freeze()
  await clog(sockets[0] as never)
  const stop = during(t, app, 'messages.dropped', () => {
    stop()
    sockets.at(-1)?.send('single')
    group.send('second')
  })
  const text = 'f'.repeat(20_000)
  group.send(text)
  assert.deepEqual(await texts(peers.at(-1), 3), [text, 'single', 'second'])
  assert.deepEqual(await texts(peers.at(-2), 2), [text, 'second'])
})

test('a member that is closed by the group may make the app send to it', async (t) => {
  const { app, group, open, peers } = await serveSliced(t, 2)
  const other = app.websocketLifecycle.group('other')
  await open()
  for (const member of group) other.add(member)
  during(t, app, 'connection.closing', () => other.send('one has gone'))
  group.delete([...group].at(-1) as never)
  group.close()
  assert.deepEqual(await texts(peers.at(-1), 2), ['one has gone', 'one has gone'])
})

test('slices run in nobody’s async context', async (t) => {
  const store = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const { app, group } = await serveSliced(t, SLICE + 1)
  during(t, app, 'connection.closing', () => seen.push(store.getStore()))
  store.run('of somebody', () => group.close())
  while (group.size > 0) await turn()
  assert.equal(seen.length, SLICE + 1)
  assert.equal(seen.at(-1), undefined)
})
