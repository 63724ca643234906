// What happens to groups at moments that are rare, and must not matter to others.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { LifecycleSocket } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveCrowd, texts } from '../support/servers/crowd.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { during } from '../support/servers/hear.js'
import { rawOf, readAway } from '../support/servers/outbox.js'
import { portOf, serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { SlicingClock } from '../support/time/slicing-clock.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const SLICE = 8
const ALONE = { 'sec-websocket-extensions': 'permessage-deflate; server_no_context_takeover' }
const LONG = 'x'.repeat(40_000)

const isOwed = ({ bufferedAmount }: LifecycleSocket): boolean => bufferedAmount > 0

/** Two members, of whom the first waits until zlib has compressed a long message. */
async function serveHeld(
  t: Parameters<typeof serveCrowd>[0],
  slow: Record<string, string> = ALONE,
) {
  const crowd = await serveCrowd(t, 0, {
    options: { keepalive: false, websocket: { perMessageDeflate: { threshold: 100 } } },
    route: { outbox: { maxBytes: 1e9, highWaterMark: 1e9 } },
  })
  await crowd.open(slow)
  await crowd.open()
  const pool = threadPool(t)
  pool.hold()
  return { ...crowd, pool }
}

test('who does not wait for zlib is not held up by those who do, in any group', async (t) => {
  const { app, group, peers, pool, sockets } = await serveHeld(t)
  const other = app.websocketLifecycle.group('other')
  for (const socket of sockets) other.add(socket)
  group.send(LONG)
  other.send('small')
  assert.equal((await texts(peers[1], 2))[1], 'small')
  await turns()
  await pool.release()
  const compressed = await peers[0]?.next()
  assert.ok(compressed && compressed.payload.length < 1_000)
  assert.deepEqual(await texts(peers[0], 1), ['small'])
})

test('what is being compressed twice in a row comes in order', async (t) => {
  const { group, peers, pool } = await serveHeld(t)
  group.send(LONG)
  group.send(`${LONG}y`)
  group.send('last')
  await turns()
  await pool.release()
  assert.deepEqual(
    (await texts(peers[1], 3)).map(({ length }) => length),
    [40_000, 40_001, 4],
  )
  for (let i = 0; i < 2; i++) assert.ok((await peers[0]?.next())?.payload)
  assert.deepEqual(await texts(peers[0], 1), ['last'])
})

test('what nobody is owed any more is gone, also while others wait for zlib', async (t) => {
  const { app, group, peers, pool, sockets } = await serveHeld(t)
  readAway(peers[1] as RawPeer)
  const plain = app.websocketLifecycle.group('plain')
  const [, socket] = sockets
  plain.add(socket as LifecycleSocket)
  group.send(LONG)
  collect()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i++) {
    plain.send('x'.repeat(500_000))
    await until(() => socket?.bufferedAmount === 0)
  }
  // The engine gives buffers back beside the program: not all of them at once.
  await until(() => {
    collect()
    return process.memoryUsage().arrayBuffers - before < 10_000_000
  })
  await pool.release()
})

test('`except`, and who has ended, can be collected while others wait', async (t) => {
  const { group, open, pool, sockets } = await serveHeld(t)
  const peer = await open()
  const gone = new WeakRef(sockets.pop() as LifecycleSocket)
  group.send(LONG, { except: gone.deref() })
  const { closed } = gone.deref() as LifecycleSocket
  peer.destroy()
  await closed
  await until(() => {
    collect()
    return gone.deref() === undefined
  })
  await pool.release()
})

test('after zlib slices run in nobody’s async context', async (t) => {
  const { app, group, peers, pool } = await serveHeld(t)
  const store = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  during(t, app, 'connection.closing', () => seen.push(store.getStore()))
  store.run('of somebody', () => {
    group.send(LONG)
    group.close()
  })
  await turns()
  await pool.release()
  await peers[0]?.nextOf(OPCODE.close)
  assert.deepEqual(seen, ['of somebody', undefined])
})

test('a client that speaks the link is believed when it confirms what a group has sent', async (t) => {
  const clock = new SlicingClock()
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    clock,
    options: { keepalive: false },
    routes: (instance) => {
      instance.get('/', { websocket: true, groups: () => 'all' }, (socket) => {
        sockets.push(socket)
        socket.on('message', (text: Buffer) => {
          if (String(text) === '31') app.websocketLifecycle.group('all').send('to all')
        })
      })
    },
  })
  for (let i = 0; i < SLICE; i++) await RawPeer.open(portOf(app))
  const peer = await LinkPeer.connect(`ws://127.0.0.1:${portOf(app)}/`)
  await until(() => sockets.length === SLICE + 1)
  clock.step = 5
  t.after(() => (clock.step = 0))
  for (let i = 0; i < 32; i++) peer.send(String(i))
  await until(() => peer.frames.includes('to all'))
  peer.ack(1)
  await peer.roundTrip()
  assert.equal(sockets.at(-1)?.readyState, 1)
})

test('a ping comes behind what is owed, as it would behind a single message', async (t) => {
  const clock = new SlicingClock()
  const { group, peers, sockets } = await serveCrowd(t, SLICE + 1, {
    clock,
    options: { keepalive: false },
  })
  clock.step = 5
  t.after(() => (clock.step = 0))
  group.send('first')
  sockets.at(-1)?.ping('second')
  assert.equal((await peers.at(-1)?.next())?.opcode, OPCODE.text)
  assert.equal((await peers.at(-1)?.next())?.opcode, OPCODE.ping)
})

test(
  'many small groups are served in slices together',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const clock = new SlicingClock()
    const { app, group, sockets } = await serveCrowd(t, 4 * SLICE, {
      clock,
      options: { keepalive: false },
    })
    for (const [index, socket] of sockets.entries()) {
      app.websocketLifecycle.group(`small ${Math.floor(index / 4)}`).add(socket)
    }
    clock.step = 5
    t.after(() => (clock.step = 0))
    const [first] = sockets
    group.send('x', { except: undefined })
    assert.equal(first?.bufferedAmount, 0)
    await until(() => sockets.every(({ bufferedAmount }) => bufferedAmount === 0))
    group.send('y')
    for (let i = 0; i < SLICE; i++) app.websocketLifecycle.group(`small ${i}`).send('z')
    const left: number[] = []
    while (left.at(-1) !== 0) {
      left.push(sockets.filter(isOwed).length)
      await turn()
    }
    for (const [index, count] of left.slice(1).entries()) {
      assert.ok((left[index] as number) - count <= SLICE, left.join())
    }
  },
)

test('a stream that throws when it is uncorked ends its connection, and nobody else waits', async (t) => {
  const clock = new SlicingClock()
  const { closes, group, peers, sockets } = await serveCrowd(t, 2 * SLICE, {
    clock,
    options: { keepalive: false },
  })
  clock.step = 5
  t.after(() => (clock.step = 0))
  const broken = sockets[SLICE] as LifecycleSocket
  const raw = rawOf(broken) as unknown as { _writev?: unknown }
  raw._writev = () => {
    delete raw._writev
    throw new Error('broken')
  }
  group.send('a')
  group.send('b')
  for (const peer of [peers[0], peers[SLICE - 1], peers.at(-1)]) {
    assert.deepEqual(await texts(peer, 2), ['a', 'b'])
  }
  // Its close frame waits behind what has failed.
  broken.terminate()
  await broken.closed
  assert.equal(closes[0]?.cause, 'handler-error')
})

test(
  'drained() is told as soon as what is owed has left',
  { skip: DIFFERS_OVER_TLS.told },
  async (t) => {
    const clock = new SlicingClock()
    const { group, sockets } = await serveCrowd(t, SLICE + 1, {
      clock,
      options: { keepalive: false },
      route: { outbox: { highWaterMark: 400 } },
    })
    clock.step = 5
    t.after(() => (clock.step = 0))
    const last = sockets.at(-1) as LifecycleSocket
    for (let i = 0; i < 5; i++) group.send('x'.repeat(100))
    let isTold = false
    void last.drained().then((hasRoom) => (isTold = hasRoom))
    await turns(1)
    assert.equal(last.bufferedAmount, 0)
    await turns(1)
    assert.equal(isTold, true)
  },
)

test('what waits behind fragments counts for single messages, too', async (t) => {
  const { group, sockets } = await serveCrowd(t, 1)
  const [socket] = sockets
  socket?.send('a', { fin: false })
  group.send('x'.repeat(100_000))
  assert.ok((socket?.bufferedAmount ?? 0) >= 100_000)
  assert.equal(socket?.send('b', { fin: false }), false)
})

test('a group may fill an outbox exactly as far as a single message', async (t) => {
  const { app, noted, sessions, url } = await serveSessions(t, {
    route: {
      groups: () => 'all',
      outbox: { maxBytes: 1_000, highWaterMark: 500, overflow: 'drop' },
    },
  })
  const all = app.websocketLifecycle.group('all')
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.send('x'.repeat(700))
  assert.deepEqual(all.send('y'.repeat(200)), { sent: 1, dropped: 0 })
  assert.deepEqual(all.send('z'.repeat(100)), { sent: 1, dropped: 0 })
  assert.deepEqual(all.send('!'), { sent: 0, dropped: 1 })
})

for (const isLinked of [true, false]) {
  test(`what a session is owed waits in its outbox: ${isLinked ? 'our client' : 'another'}`, async (t) => {
    const clock = new SlicingClock()
    const { app, sessions, url } = await serveSessions(t, {
      clock,
      route: { groups: () => 'all', outbox: { highWaterMark: 500 } },
    })
    for (let i = 0; i < SLICE; i++) await LinkPeer.confirmed(url)
    const peer = isLinked
      ? await LinkPeer.confirmed(url)
      : await RawPeer.open(portOf(app), new URL(url).pathname)
    await until(() => sessions.length === SLICE + 1)
    clock.step = 5
    t.after(() => (clock.step = 0))
    const session = sessions.at(-1)
    assert.ok(session)
    app.websocketLifecycle.group('all').send('x'.repeat(600))
    assert.equal(app.websocketLifecycle.describe(session).outbox.bytes, 600)
    let isTold = false
    void session.drained().then(() => (isTold = true))
    await Promise.resolve()
    assert.equal(isTold, false)
    if (peer instanceof LinkPeer) {
      await peer.expect('x'.repeat(600))
      peer.ack(1)
    }
    await until(() => isTold)
  })
}
