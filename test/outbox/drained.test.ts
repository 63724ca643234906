import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { clog, connectOver, readAway, TCP, TLS } from '../support/servers/outbox.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, serveOne } from '../support/servers/server.js'
import { isTlsPass } from '../support/servers/tls-pass.js'

const { closeFrame } = RawPeer

/** Every waiter has to be told by what happens: this clock stands still, so no sweep comes to help. */
const still = (): FakeClock => new FakeClock()

/** Whether a promise settles in this turn of the loop. */
async function settlesNow(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  void promise.then(() => (isSettled = true))
  // Ticks and promises, many times over: all that can come before the loop goes on.
  for (let i = 0; i < 100; i++) await new Promise<void>((resolve) => process.nextTick(resolve))
  return isSettled
}

test('below the mark drained() answers true, and lets the turn go on', async (t) => {
  const { socket } = await connectOne(t)
  assert.ok(await settlesNow(socket.drained()), 'before anything was sent')
  socket.send('x')
  socket.send('y')
  assert.equal(await socket.drained(), true)
})

for (const line of [TCP, TLS]) {
  for (const highWaterMark of [0, 1024, 64 * 1024]) {
    test(`over ${line.over} drained() waits above ${highWaterMark} bytes, until the peer reads`, async (t) => {
      const { peer, socket } = await connectOver(line, t, {
        clock: still(),
        route: { outbox: { highWaterMark } },
      })
      peer.freeze()
      await clog(socket)
      const drained = socket.drained()
      let isTold = false
      void drained.then(() => (isTold = true))
      await turns(20)
      assert.equal(isTold, false)
      readAway(peer)
      assert.equal(await drained, true)
      assert.ok(socket.bufferedAmount <= highWaterMark, `${socket.bufferedAmount}`)
    })
  }
}

test('drained() waits for what compression still holds', async (t) => {
  const { socket } = await connectOne(
    t,
    {
      clock: still(),
      options: { websocket: { perMessageDeflate: true } },
      route: { outbox: { highWaterMark: 1024 } },
    },
    DEFLATE,
  )
  assert.equal(socket.send(Buffer.alloc(256 * 1024)), false)
  const drained = socket.drained()
  assert.equal(await settlesNow(drained), false)
  assert.equal(await drained, true)
  assert.equal(socket.bufferedAmount, 0)
})

test('drained() waits for a Blob that is still being read', async (t) => {
  const { peer, socket } = await connectOne(t, {
    clock: still(),
    route: { outbox: { highWaterMark: 1024 } },
  })
  assert.equal(socket.send(new Blob(['x'.repeat(2048)])), false)
  assert.equal(await socket.drained(), true)
  assert.equal((await peer.next())?.payload.length, 2048)
})

test('drained() waits for pings as for anything else, and hears when they have left', async (t) => {
  const { socket } = await connectOver(TLS, t, {
    clock: still(),
    route: { outbox: { highWaterMark: 0 } },
  })
  socket.ping()
  assert.ok(socket.bufferedAmount > 0)
  assert.equal(await within(socket.drained(), 'an answer'), true)
})

test('a thousand waiters are all told', async (t) => {
  const { peer, socket } = await connectOne(t, { clock: still() })
  peer.freeze()
  await clog(socket)
  const waiters = Array.from({ length: 1000 }, () => socket.drained())
  readAway(peer)
  const answers = await Promise.all(waiters)
  assert.deepEqual(new Set(answers), new Set([true]))
})

test('a thousand waiters that send when they are told are told one after the other', async (t) => {
  const { peer, socket } = await connectOne(t, { clock: still() })
  peer.freeze()
  await clog(socket)
  const message = Buffer.alloc(10_000)
  let sent = 0
  const senders = Array.from({ length: 1000 }, async () => {
    if (await socket.drained()) socket.send(message)
    if (socket.readyState === socket.OPEN) sent++
  })
  readAway(peer)
  await Promise.all(senders)
  assert.equal(sent, 1000)
})

test('where messages are dropped, drained() waits as well, until the peer reads on', async (t) => {
  const { peer, socket } = await connectOne(t, {
    clock: still(),
    route: { outbox: { overflow: 'drop' } },
  })
  peer.freeze()
  await clog(socket)
  assert.equal(socket.send('dropped'), false)
  const drained = socket.drained()
  assert.equal(await settlesNow(drained), false)
  readAway(peer)
  assert.equal(await drained, true)
  assert.equal(socket.send('sent'), true)
})

interface End {
  readonly how: string
  readonly end: (connected: Connected) => unknown
}

const ENDS: readonly End[] = [
  { how: 'close()', end: ({ socket }) => socket.close() },
  { how: 'terminate()', end: ({ socket }) => socket.terminate() },
  { how: 'a message too many', end: ({ socket }) => socket.send('more') },
  { how: "the peer's close frame", end: ({ peer }) => peer.send(closeFrame(1000)) },
  { how: "the peer's FIN", end: ({ peer }) => peer.finish() },
  { how: "the peer's reset", end: ({ peer }) => peer.reset() },
  { how: 'a drain', end: ({ app }) => void app.websocketLifecycle.drain() },
  {
    how: 'a handler that fails',
    end: ({ socket }) => {
      socket.on('ping', () => Promise.reject(new Error('on purpose')))
      socket.emit('ping', Buffer.alloc(0))
    },
  },
]

for (const { how, end } of ENDS) {
  test(`${how} tells who waits false, but not in the same turn`, async (t) => {
    const connected = await connectOne(t, { clock: still(), route: { closeTimeout: 500 } })
    const { peer, socket } = connected
    peer.freeze()
    await clog(socket)
    const drained = socket.drained()
    const others = [socket.drained(), socket.drained()]
    assert.equal(await settlesNow(drained), false)
    end(connected)
    if (socket.readyState !== socket.OPEN) {
      assert.equal(await settlesNow(drained), false, 'in the same turn')
    }
    assert.equal(await drained, false)
    assert.deepEqual(await Promise.all(others), [false, false])
    assert.equal(await socket.drained(), false)
  })
}

test('on a connection that has ended drained() answers false, but not in the same turn', async (t) => {
  const { socket } = await connectOne(t)
  for (const state of ['closing', 'closed']) {
    if (state === 'closing') socket.close()
    else {
      socket.terminate()
      await socket.closed
    }
    const drained = socket.drained()
    assert.equal(await settlesNow(drained), false, state)
    assert.equal(await drained, false, state)
  }
})

test('an answer that was put off to the next turn is false where the end has begun meanwhile', async (t) => {
  const { socket } = await connectOne(t)
  let drained = socket.drained()
  for (let asked = 0; await settlesNow(drained); asked++) {
    assert.ok(asked < 1000, 'it is put off, or this shows nothing')
    drained = socket.drained()
  }
  socket.terminate()
  assert.equal(await drained, false)
})

interface Loop {
  readonly what: string
  readonly data: string | Buffer
  readonly highWaterMark?: number
}

const LOOPS: readonly Loop[] = [
  { what: 'small messages', data: 'x' },
  { what: 'small messages and a mark of 0', data: 'x', highWaterMark: 0 },
  { what: 'messages above the mark', data: Buffer.alloc(128 * 1024) },
]

/** How a loop gets what it sends; none of them lets the event loop go on. */
const SOURCES: Readonly<Record<string, () => unknown>> = {
  'that are there': () => undefined,
  'from a promise': () => Promise.resolve(),
  // As a stream gives them.
  'from a tick': () => new Promise<void>((resolve) => process.nextTick(resolve)),
}

for (const { what, data, highWaterMark = 1024 } of LOOPS) {
  for (const [source, next] of Object.entries(SOURCES)) {
    test(`drained() with ${what} ${source} leaves other I/O its turns`, async (t) => {
      const { peer, socket } = await connectOne(t, { route: { outbox: { highWaterMark } } })
      readAway(peer)
      const others = { turns: 0 }
      setImmediate(() => others.turns++)
      for (let sent = 0; others.turns === 0; sent++) {
        assert.ok(sent < 1000, 'nothing else came to its turn')
        assert.equal(await socket.drained(), true)
        await next()
        socket.send(data)
      }
      assert.equal(socket.readyState, socket.OPEN)
    })
  }
}

test('a loop over drained() brings all to a fast reader in this process while timers run', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const client = await connect(`ws://127.0.0.1:${port}/`)
  const socket = await nextSocket()
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  t.after(() => clearInterval(timer))
  const count = 30_000
  let next = 0
  while ((await socket.drained()) && next < count) socket.send(String(next++))
  socket.close(4000)
  const expected = [...Array.from({ length: count }, (_, i) => String(i)), 'close 4000']
  assert.deepEqual(await untilEnd(client), expected)
  assert.ok(ticks > 0)
})

const WRECKS: Readonly<Record<string, (socket: LifecycleSocket) => unknown>> = {
  closing: (socket) => socket.close(),
  closed: (socket) => {
    socket.terminate()
    return socket.closed
  },
}

for (const [state, wreck] of Object.entries(WRECKS)) {
  test(`a careless loop over drained() on a ${state} socket stops no timer and no connection`, async (t) => {
    const { port, socket, nextSocket } = await connectOne(t)
    const client = await connect(`ws://127.0.0.1:${port}/`)
    const other = await nextSocket()
    await wreck(socket)
    const others = { messages: 0, ticks: 0 }
    setTimeout(() => others.ticks++, 1)
    other.on('message', () => others.messages++)
    client.send('hello')
    for (let round = 0; others.messages === 0 || others.ticks === 0; round++) {
      assert.ok(round < 100_000, 'nothing else came to its turn')
      assert.equal(await socket.drained(), false)
      assert.equal(socket.send('x'), false)
    }
    client.drop()
  })
}

test('a loop over drained() against a reader that does not read stops until it does', async (t) => {
  const { peer, socket } = await connectOne(t, { clock: still() })
  peer.freeze()
  const loop = { sent: 0, end: Infinity }
  const over = (async () => {
    while (loop.sent < loop.end && (await socket.drained())) {
      socket.send(Buffer.alloc(60 * 1024))
      loop.sent++
    }
  })()
  await untilStill(() => loop.sent)
  // Over TLS the one before the last may have left: the next look tells.
  const least = (isTlsPass ? 60 : 64) * 1024
  assert.ok(socket.bufferedAmount > least && socket.bufferedAmount < 256 * 1024)
  loop.end = loop.sent + 10
  readAway(peer)
  await over
  assert.equal(loop.sent, loop.end)
  assert.equal(socket.readyState, socket.OPEN)
})

/** Waits until a count has stood still for many turns of the loop. */
async function untilStill(count: () => number): Promise<void> {
  for (let last = -1; last !== count();) {
    last = count()
    await turns(50)
  }
}

for (const line of [TCP, TLS]) {
  for (const bytes of [65_400, 65_408, 65_409, 65_526, 65_536]) {
    test(`over ${line.over} drained() needs no look with messages of ${bytes} bytes, up to the mark`, async (t) => {
      const clock = still()
      const { peer, socket } = await connectOver(line, t, { clock })
      readAway(peer)
      const data = Buffer.alloc(bytes)
      for (let sent = 0; sent < 100; sent++) {
        assert.equal(await socket.drained(), true)
        socket.send(data)
      }
      assert.equal(socket.readyState, socket.OPEN)
    })
  }
}
