// Ends while ws still inflates what the peer sent before: they do not wait for it.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { connectOver, rawOf, TCP, TLS } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, type OneRoute, serveOne } from '../support/servers/server.js'
import { type ThreadPool, threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'

const { closeFrame, deflated, frame } = RawPeer

interface Busy extends Connected {
  readonly pool: ThreadPool
  readonly clock: FakeClock
  /** What plain listeners and `onMessage` heard. */
  readonly heard: string[]
}

/** A connection whose peer has sent two compressed messages, of which ws inflates the first one until `pool.release`. */
async function connectBusy(t: TestContext, line = TCP, setup: OneRoute = {}): Promise<Busy> {
  const pool = threadPool(t)
  const clock = new FakeClock()
  const heard: string[] = []
  const connected = await connectOver(
    line,
    t,
    {
      clock,
      ...setup,
      options: { websocket: { perMessageDeflate: true }, closeTimeout: 1_000, ...setup.options },
      route: { onMessage: (_socket, _request, message) => void heard.push(String(message)) },
      handler: (socket) => {
        for (const event of ['message', 'error', 'close']) socket.on(event, () => heard.push(event))
      },
    },
    DEFLATE,
  )
  const { peer, socket } = connected
  pool.hold()
  const raw = rawOf(socket)
  const before = raw.bytesRead
  peer.send(deflated('one'), deflated('two'))
  await until(() => raw.bytesRead > before)
  await delivered()
  return { ...connected, pool, clock, heard }
}

/** What the pool still does concerns nobody once the connection has ended. */
async function assertQuiet({ pool, heard, app, events }: Busy): Promise<void> {
  const before = [...heard]
  const ended = [...events]
  await pool.release()
  await delivered()
  assert.deepEqual(heard, before)
  assert.deepEqual(events, ended)
  assert.equal(app.websocketLifecycle.stats().open, 0)
}

for (const line of [TCP, TLS]) {
  test(`over ${line.over} a reset ends at once, and what is being inflated is dropped`, async (t) => {
    const busy = await connectBusy(t, line)
    // Below TLS as well: it is the transport that is reset.
    const { _parent: below }: { _parent?: RawPeer['socket'] } = busy.peer.socket as never
    ;(below ?? busy.peer.socket).resetAndDestroy()
    const close = await busy.socket.closed
    assert.ok(['connection-reset', 'connection-lost'].includes(close.cause), close.cause)
    assert.deepEqual(busy.events, ['abort', 'unexpected', 'close', 'release'])
    assert.deepEqual(busy.heard, ['close'])
    assert.equal(busy.socket.readyState, busy.socket.CLOSED)
    assert.equal(busy.app.websocketLifecycle.stats().dropped, 1)
    await assertQuiet(busy)
  })
}

test('terminate() ends at once', async (t) => {
  const busy = await connectBusy(t)
  busy.socket.terminate()
  assert.equal((await busy.socket.closed).cause, 'server-terminate')
  await assertQuiet(busy)
})

test('our own close ends by its deadline', async (t) => {
  const busy = await connectBusy(t)
  busy.socket.close(4000)
  await busy.peer.nextOf(OPCODE.close)
  await busy.clock.advance(1_500)
  const close = await busy.socket.closed
  assert.equal(close.cause, 'server-close')
  assert.deepEqual(busy.heard, ['close'])
  await assertQuiet(busy)
})

test('what a peer sent before its FIN is read if it is inflated before the deadline', async (t) => {
  const busy = await connectBusy(t)
  busy.peer.send(closeFrame(4001))
  busy.peer.finish()
  await delivered()
  assert.deepEqual(busy.heard, [])
  await busy.pool.release()
  const close = await busy.socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(close.code, 4001)
  assert.deepEqual(busy.heard, ['message', 'one', 'message', 'two', 'close'])
  assert.equal(busy.app.websocketLifecycle.stats().dropped, 0)
})

for (const [what, end] of [
  ['the deadline', (busy: Busy) => busy.clock.advance(1_500)],
  ['terminate()', (busy: Busy) => busy.socket.terminate()],
] as const) {
  test(`after a FIN ${what} ends it without what is not inflated by then`, async (t) => {
    const busy = await connectBusy(t)
    busy.peer.finish()
    await busy.peer.ended()
    await delivered()
    assert.deepEqual(busy.heard, [])
    await end(busy)
    assert.equal((await busy.socket.closed).cause, 'connection-lost')
    assert.deepEqual(busy.heard, ['close'])
    await assertQuiet(busy)
  })
}

test('a place in a limit is free again as soon as the transport is gone', async (t) => {
  const busy = await connectBusy(t, TCP, { options: { maxConnections: 1 } })
  busy.peer.reset()
  await busy.socket.closed
  const next = await TCP.dial(busy.port)
  assert.equal(busy.app.websocketLifecycle.stats().open, 1)
  next.destroy()
  await busy.pool.release()
})

test('a drain ends all in time, however much their peers have sent to be inflated', async (t) => {
  const pool = threadPool(t)
  const clock = new FakeClock()
  const { app, port } = await serveOne(t, {
    clock,
    options: {
      websocket: { perMessageDeflate: true },
      drain: { timeout: 2_000 },
      closeTimeout: 500,
    },
    route: { onMessage: () => {} },
  })
  const peers = await Promise.all(
    Array.from({ length: 60 }, () => RawPeer.open(port, '/', DEFLATE)),
  )
  pool.hold()
  const bomb = deflated(Buffer.alloc(1_000_000))
  for (const peer of peers) peer.send(...Array.from({ length: 200 }, () => bomb))
  await delivered()
  const closed = app.close()
  await clock.advance(2_000)
  await closed
  assert.deepEqual(app.websocketLifecycle.stats().closed.shutdown, 60)
  for (const peer of peers) peer.destroy()
})

test('callbacks of what is not compressed yet are told before the end is over', async (t) => {
  const pool = threadPool(t)
  const told: string[] = []
  const { peer, socket } = await connectOver(
    TCP,
    t,
    {
      options: { websocket: { perMessageDeflate: { threshold: 0 } } },
      handler: (own) => void own.closed.then(() => told.push('closed')),
    },
    DEFLATE,
  )
  pool.hold()
  for (let i = 0; i < 3; i++) {
    socket.send('x'.repeat(100), (error) => told.push(String(Reflect.get(error ?? {}, 'code'))))
  }
  socket.send(new Blob(['x']), (error) => told.push(String(Reflect.get(error ?? {}, 'code'))))
  peer.reset()
  await socket.closed
  await pool.release()
  await delivered()
  assert.equal(told.at(-1), 'closed')
  assert.equal(told.length, 5)
})

test('where ws needs no time for it, a message before a reset may still be heard', async (t) => {
  const heard: string[] = []
  const { peer, socket } = await connectOver(TCP, t, {
    route: { onMessage: (_socket, _request, message) => void heard.push(String(message)) },
  })
  const raw = rawOf(socket)
  const before = raw.bytesRead
  peer.send(frame(OPCODE.text, 'plain'))
  while (raw.bytesRead === before) await turn()
  peer.reset()
  await socket.closed
  assert.deepEqual(heard, ['plain'])
})
