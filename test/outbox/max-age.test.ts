// `outbox.maxAge`: peers that read too slowly, or not at all, though little waits for them.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hear } from '../support/servers/hear.js'
import { createWebSocketStream } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { advanceStill } from '../support/time/still.js'
import { until } from '../support/time/timed.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { clog, type Line, readAway, TCP, TLS } from '../support/servers/outbox.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { Trickle } from '../support/peers/trickle.js'

const KiB = 1024
const MiB = 1024 * KiB
const keepalive = false

const maxAge = 10_000
/** No reader is excused for longer; and a while more, because the two kernels go on by themselves. */
const AGED = 15 * maxAge + 30_000
const closeTimeout = 3_000

interface Aging {
  readonly clock: FakeClock
  readonly socket: LifecycleSocket
  readonly line: Trickle
  readonly dropped: () => number
}

/** Moves the clock until a peer that takes no more is cut off. */
async function untilCutOff(clock: FakeClock, socket: LifecycleSocket): Promise<void> {
  await advanceStill(clock, socket, AGED)
  await assertCutOff(clock, socket)
}

async function assertCutOff(clock: FakeClock, socket: LifecycleSocket): Promise<void> {
  assert.notEqual(socket.readyState, socket.OPEN)
  await clock.advance(20 * closeTimeout)
  assert.equal((await socket.closed).cause, 'slow-consumer')
}

/** A connection whose backlog is far below its maxBytes, by a line that carries what it is told. */
async function connectAging(
  t: TestContext,
  { server, dial }: Line,
  outbox: { maxAge?: number | false; overflow?: 'close' | 'drop' } = {},
): Promise<Aging> {
  const clock = new FakeClock()
  const { app, port, nextSocket } = await serveOne(t, {
    clock,
    options: { keepalive },
    route: { closeTimeout, outbox: { maxBytes: 1024 * MiB, ...outbox } },
    ...server,
  })
  const line = await Trickle.to(t, port)
  readAway(await dial(line.port))
  const socket = await nextSocket()
  line.stop()
  await clog(socket)
  return { clock, socket, line, dropped: () => app.websocketLifecycle.stats().dropped }
}

for (const kind of [TCP, TLS]) {
  test(`over ${kind.over} a peer that never reads is cut off by maxAge, though little waits`, async (t) => {
    const heard = hear(t, 'outbox.stuck')
    const { clock, socket } = await connectAging(t, kind)
    await clock.advance(maxAge)
    assert.equal(socket.readyState, socket.OPEN, 'it is given the time for what the kernel took')
    await advanceStill(clock, socket, AGED)
    assert.equal(socket.readyState, socket.CLOSED)
    const told = heard.of('outbox.stuck')
    assert.deepEqual(told, [{ id: socket.id, route: '/', bytes: told[0]?.bytes }])
    assert.ok(Number(told[0]?.bytes) > 0)
    const { cause, sent, clean } = await socket.closed
    assert.deepEqual(
      { cause, code: sent?.code, clean },
      { cause: 'slow-consumer', code: 1013, clean: false },
    )
  })

  test(`over ${kind.over} a peer that reads one byte a second is cut off`, async (t) => {
    const { clock, socket, line } = await connectAging(t, kind)
    for (let elapsed = 0; elapsed < AGED && socket.readyState === socket.OPEN; elapsed += 1_000) {
      await line.read(1)
      await clock.advance(1_000)
    }
    await assertCutOff(clock, socket)
  })

  test(`over ${kind.over} a peer that reads 16 KiB a second, and not more, is kept`, async (t) => {
    // The kernel's steps are of different sizes: one connection alone may be lucky.
    const all = await Promise.all([1, 2, 3, 4].map(() => connectAging(t, kind)))
    await Promise.all(
      all.map(async ({ clock, socket, line }, i) => {
        for (let elapsed = 0; elapsed < 800_000; elapsed += 2_000) {
          await line.read(32 * KiB)
          await clock.advance(2_000)
          assert.equal(socket.readyState, socket.OPEN, `${i} was cut off after ${elapsed} ms`)
        }
        assert.ok(socket.bufferedAmount > 0)
      }),
    )
  })

  test(`over ${kind.over} a stuck peer gets nothing new where that is dropped, until it reads on`, async (t) => {
    const { clock, socket, line, dropped } = await connectAging(t, kind, { overflow: 'drop' })
    await advanceStill(clock, socket, AGED)
    const waiting = socket.bufferedAmount
    const told: unknown[] = []
    for (let i = 0; i < 10; i++)
      assert.equal(
        socket.send('x', (error) => told.push(error)),
        false,
      )
    socket.ping()
    assert.equal(socket.bufferedAmount, waiting)
    assert.equal(socket.readyState, socket.OPEN)
    assert.equal(dropped(), 11)
    await turns(1)
    assert.ok(told.length === 10 && told.every((error) => error instanceof Error))
    const drained = socket.drained()
    line.run()
    await until(() => socket.bufferedAmount === 0)
    await clock.advance(2_000)
    assert.equal(await drained, true)
    assert.equal(socket.send('x'), true)
    assert.equal(dropped(), 11)
  })
}

test('the time in which our own loop stood still is not held against a slow reader', async (t) => {
  const { clock, socket, line } = await connectAging(t, TCP)
  for (let stall = 0; stall < 3; stall++) {
    await clock.advance(maxAge)
    clock.stall(100 * maxAge)
    // The first tick comes before the loop has polled: whatever the peer has read meanwhile shows later.
    await clock.advance(1_000)
    assert.equal(socket.readyState, socket.OPEN)
    await line.read(4 * MiB)
  }
  await untilCutOff(clock, socket)
})

test('a stuck peer is cut off at the first fragment, where messages are dropped', async (t) => {
  const { clock, socket } = await connectAging(t, TCP, { overflow: 'drop' })
  await advanceStill(clock, socket, AGED)
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(socket.send('part', { fin: false }), false)
  assert.equal(socket.readyState, socket.CLOSING)
})

test('pings that a peer does not take grow too old as messages do, where nothing else is sent', async (t) => {
  const clock = new FakeClock()
  const { port, nextSocket } = await serveOne(t, {
    clock,
    options: { keepalive: false },
    route: { closeTimeout, outbox: { maxBytes: 1024 * MiB } },
    ...TCP.server,
  })
  const line = await Trickle.to(t, port)
  readAway(await TCP.dial(line.port))
  const socket = await nextSocket()
  line.stop()
  const payload = Buffer.alloc(125)
  while (socket.bufferedAmount < 64 * 1024) {
    for (let i = 0; i < 1_000; i++) socket.ping(payload)
    await turns(3)
  }
  await untilCutOff(clock, socket)
})

test('with maxAge: false what waits may stand still for ever', async (t) => {
  const { clock, socket } = await connectAging(t, TCP, { maxAge: false })
  await clock.advance(10 * AGED)
  assert.equal(socket.readyState, socket.OPEN)
})

test('a peer for which nothing waits is not judged by maxAge', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, {
    clock,
    options: { keepalive },
    route: { outbox: { maxAge: 50 } },
  })
  peer.freeze()
  // It is all with the kernel: nobody can tell whether it is read.
  for (let i = 0; i < 10; i++) {
    socket.send('x')
    await clock.advance(1_000)
  }
  assert.equal(socket.readyState, socket.OPEN)
})

test("a library's stream over the socket is bounded too, and cut off by maxAge", async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock, options: { keepalive } })
  peer.freeze()
  const stream = createWebSocketStream(socket)
  const ended = new Promise((resolve) => stream.once('close', resolve))
  stream.on('error', () => {})
  let most = 0
  const write = (): void => {
    while (stream.write(Buffer.alloc(100_000))) most = Math.max(most, socket.bufferedAmount)
  }
  stream.on('drain', write)
  write()
  await turns(200)
  assert.ok(most <= MiB + 100_000, `${most}`)
  assert.equal(socket.readyState, socket.OPEN, 'it waits for its callbacks, as it should')
  await untilCutOff(clock, socket)
  await ended
})
