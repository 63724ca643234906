import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createWebSocketStream } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { Client } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { clog, connectOver, type Line, readAway, TCP, TLS } from '../support/servers/outbox.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { Trickle } from '../support/peers/trickle.js'

const KiB = 1024
const MiB = 1024 * KiB
const keepalive = false
const compressing = { websocket: { perMessageDeflate: true }, keepalive } as const

/** As long as the kernel takes more, so much may wait on top for our own encryption or compression. */
const KERNEL_ROOM = 4 * MiB

const maxAge = 10_000
/** No reader is excused for longer; and a while more, because the two kernels go on by themselves. */
const AGED = 15 * maxAge + 30_000
const closeTimeout = 3_000

interface Flood {
  readonly of: string
  /** The largest message. */
  readonly largest: number
  /** What one turn of the loop sends. */
  readonly send: (socket: LifecycleSocket) => void
  readonly line?: Line
  readonly headers?: Record<string, string>
}

function times(count: number, send: Flood['send']): Flood['send'] {
  return (socket) => {
    for (let i = 0; i < count; i++) send(socket)
  }
}

const FLOODS: readonly Flood[] = [
  { of: 'text', largest: 10_000, send: times(100, (socket) => socket.send('x'.repeat(10_000))) },
  { of: 'Buffers', largest: MiB, send: times(1, (socket) => socket.send(Buffer.alloc(MiB))) },
  { of: 'small messages', largest: 1, send: times(10_000, (socket) => socket.send('x')) },
  { of: 'empty messages', largest: 0, send: times(10_000, (socket) => socket.send('')) },
  { of: 'pings', largest: 125, send: times(1_000, (socket) => socket.ping(Buffer.alloc(125))) },
  { of: 'pongs', largest: 125, send: times(1_000, (socket) => socket.pong(Buffer.alloc(125))) },
  {
    of: 'Blobs',
    largest: 100_000,
    send: times(10, (socket) => socket.send(new Blob([Buffer.alloc(100_000)]) as never)),
  },
  {
    of: 'fragments',
    largest: 10_000,
    send: times(100, (socket) => socket.send(Buffer.alloc(10_000), { fin: false })),
  },
  {
    of: 'random bytes, compressed',
    largest: 10_000,
    headers: DEFLATE,
    send: times(100, (socket) => socket.send(randomBytes(10_000))),
  },
  {
    of: 'empty messages, compressed',
    largest: 0,
    headers: DEFLATE,
    send: times(10_000, (socket) => socket.send('')),
  },
  {
    of: 'zeros, compressed',
    largest: MiB,
    headers: DEFLATE,
    send: times(1, (socket) => socket.send(Buffer.alloc(MiB))),
  },
  {
    of: 'messages over TLS',
    largest: 10_000,
    line: TLS,
    send: times(100, (socket) => socket.send(Buffer.alloc(10_000))),
  },
  {
    of: 'random bytes, compressed, over TLS',
    largest: 10_000,
    line: TLS,
    headers: DEFLATE,
    send: times(100, (socket) => socket.send(randomBytes(10_000))),
  },
]

for (const { of, send, largest, line = TCP, headers } of FLOODS) {
  test(`a peer that never reads a flood of ${of} is cut off, and no more waits than maxBytes and a message`, async (t) => {
    const setup = { clock: new FakeClock(), options: compressing }
    const { peer, socket } = await connectOver(line, t, setup, headers)
    peer.freeze()
    const isOurs = headers === DEFLATE || line === TLS
    const bound = MiB + largest + 20 + (isOurs ? KERNEL_ROOM : 0)
    let most = 0
    for (let turn = 0; turn < 300; turn++) {
      send(socket)
      most = Math.max(most, socket.bufferedAmount)
      await turns(1)
    }
    assert.ok(most <= bound, `${most}`)
    assert.equal(socket.readyState, socket.CLOSING)
    socket.terminate()
    // Where it is compression that does not keep up, no peer is to blame for it.
    const cause = headers === DEFLATE ? 'handler-error' : 'slow-consumer'
    assert.equal((await socket.closed).cause, cause)
  })
}

const MEMORY: Readonly<Record<string, Flood['send']>> = {
  'hundreds of megabytes': (socket) => {
    socket.send(Buffer.alloc(MiB / 2, 1))
    socket.send('x'.repeat(MiB / 4))
  },
  'millions of small messages': times(5_000, (socket) => socket.send('x')),
  'millions of empty messages with callbacks': times(5_000, (socket) =>
    socket.send(Buffer.alloc(0), () => {}),
  ),
  'any number of pings': times(5_000, (socket) => socket.ping('x'.repeat(30))),
}

for (const [what, send] of Object.entries(MEMORY)) {
  test(`${what} sent in turns to a peer that never reads cost no more memory than a few megabytes`, async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { peer, socket } = await connectOne(t, { clock: new FakeClock(), options: { keepalive } })
    peer.freeze()
    collect()
    const before = process.memoryUsage()
    for (let turns = 0, late = 0; late < 20; turns++) {
      if (socket.readyState !== socket.OPEN) late++
      send(socket)
      assert.ok(turns < 1_000, 'it is cut off')
      await turn()
    }
    collect()
    await turn()
    collect()
    const after = process.memoryUsage()
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed
    assert.ok(grown < 6 * MiB, `${grown}`)
  })
}

test('a broadcast to many cuts off the one that does not read; the others get all of it, in order', async (t) => {
  const { app, port, nextSocket } = await serveOne(t, {
    clock: new FakeClock(),
    options: { keepalive },
  })
  const frozen = await RawPeer.open(port)
  frozen.freeze()
  const slow = await nextSocket()
  const clients = await Promise.all([0, 1, 2].map(() => Client.open(`ws://127.0.0.1:${port}/`)))
  const count = 200
  for (let i = 0; i < count; i++) {
    const message = `${i} `.padEnd(100_000, '.')
    for (const socket of app.websocketLifecycle.connections) socket.send(message)
    await turns(4)
  }
  for (const socket of app.websocketLifecycle.connections) socket.close(4000)
  await Promise.all(clients.map(({ closed }) => closed))
  const expected = [...Array.from({ length: count }, (_, i) => i), 'close']
  for (const { events } of clients) {
    assert.deepEqual(
      events.map((event) => Number.parseInt(event, 10) || event.split(' ')[0]),
      expected.map((each) => each || '0'),
    )
  }
  slow.terminate()
  assert.equal((await slow.closed).cause, 'slow-consumer')
  assert.equal(app.websocketLifecycle.stats().closed['slow-consumer'], 1)
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
  await clock.advance(AGED + 20 * closeTimeout)
  await ended
  assert.equal((await socket.closed).cause, 'slow-consumer')
})

test("a library's stream over the socket works as over any other", async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    handler: (socket) => {
      const stream = createWebSocketStream(socket, { encoding: 'utf8' })
      stream.pipe(stream)
    },
  })
  const client = await Client.open(`ws://127.0.0.1:${port}/`)
  await nextSocket()
  for (let i = 0; i < 100; i++) client.ws.send(`${i} `.repeat(1_000))
  const expected = Array.from({ length: 100 }, (_, i) => `${i} `.repeat(1_000)).join('')
  while (client.events.join('').length < expected.length) await client.next()
  assert.equal(client.events.join(''), expected)
  client.ws.close(1000)
  await client.closed
})

const SMALL_BOUNDS = [
  { maxBytes: 8 * KiB, highWaterMark: 4 * KiB },
  { maxBytes: 8 * KiB, highWaterMark: 8 * KiB },
  { maxBytes: 8 * KiB },
  { maxBytes: 1, highWaterMark: 0 },
] as const

for (const line of [TCP, TLS]) {
  for (const headers of [{}, DEFLATE]) {
    const isCompressed = headers === DEFLATE
    test(`over ${line.over}${isCompressed ? ', compressed,' : ''} a reader as fast as we are is never condemned, however small maxBytes is`, async (t) => {
      for (const outbox of SMALL_BOUNDS) {
        const setup = { options: compressing, route: { outbox } }
        const { peer, socket } = await connectOver(line, t, setup, headers)
        readAway(peer)
        for (let turn = 0; turn < 3; turn++) {
          for (let i = 0; i < (isCompressed ? 500 : 1_500); i++) {
            socket.send('x'.repeat(1_000))
            if (i % 100 === 0) socket.ping('y')
          }
          assert.equal(socket.readyState, socket.OPEN, `${JSON.stringify(outbox)}, turn ${turn}`)
          assert.equal(await socket.drained(), true)
          await turns(20)
        }
        peer.destroy()
      }
    })
  }
}

test('a hundred megabytes, turn by turn, do not condemn a reader that keeps up', async (t) => {
  const outbox = { maxBytes: 8 * KiB, highWaterMark: 0 }
  const { peer, socket } = await connectOne(t, { route: { outbox } })
  readAway(peer)
  for (let turn = 0; turn < 400; turn++) {
    for (let i = 0; i < 16; i++) socket.send(Buffer.alloc(16 * KiB))
    await turns(2)
  }
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(socket.bufferedAmount, 0)
})

test('tens of thousands of messages in one turn are no more than one where the kernel takes them all', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { outbox: { maxBytes: 1, highWaterMark: 0 } },
  })
  readAway(peer)
  for (let i = 0; i < 70_000; i++) socket.send('x')
  assert.equal(socket.readyState, socket.OPEN)
})

for (const line of [TCP, TLS]) {
  for (const perMessageDeflate of [false, true]) {
    test(`over ${line.over}${perMessageDeflate ? ', compressed,' : ''} what is dropped is whole messages, and all others arrive`, async (t) => {
      const outbox = { overflow: 'drop', maxBytes: 256 * KiB } as const
      const { app, port, nextSocket } = await serveOne(t, {
        ...line.server,
        options: { websocket: { perMessageDeflate } },
        route: { outbox },
      })
      const scheme = line === TLS ? 'wss' : 'ws'
      const options = { perMessageDeflate, rejectUnauthorized: false }
      const client = new Client(`${scheme}://127.0.0.1:${port}/`, options)
      const socket = await nextSocket()
      await once(client.ws, 'open')
      client.ws.pause()
      const told = { dropped: 0 }
      const expected: string[] = []
      for (let turns = 0; told.dropped < 100; turns++) {
        assert.ok(turns < 2_000, 'it drops')
        for (let i = 0; i < 10; i++) {
          const text = randomBytes(5_000).toString('hex')
          socket.send(text, (error) => (error ? told.dropped++ : expected.push(text)))
        }
        await turn()
      }
      client.ws.resume()
      assert.equal(await socket.drained(), true)
      socket.send('after', () => expected.push('after'))
      socket.close(4000)
      await client.closed
      assert.deepEqual(client.events, [...expected, 'close 4000'])
      assert.equal(app.websocketLifecycle.stats().dropped, told.dropped)
      assert.equal((await socket.closed).messagesSent, expected.length)
    })
  }
}

interface Aging {
  readonly clock: FakeClock
  readonly socket: LifecycleSocket
  readonly line: Trickle
  readonly dropped: () => number
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
    const { clock, socket } = await connectAging(t, kind)
    await clock.advance(maxAge)
    assert.equal(socket.readyState, socket.OPEN, 'it is given the time for what the kernel took')
    await clock.advance(AGED)
    assert.equal(socket.readyState, socket.CLOSED)
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
    assert.notEqual(socket.readyState, socket.OPEN)
    await clock.advance(20 * closeTimeout)
    assert.equal((await socket.closed).cause, 'slow-consumer')
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
    await clock.advance(AGED)
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
    while (socket.bufferedAmount > 0) await turns(1)
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
  await clock.advance(AGED)
  assert.equal((await socket.closed).cause, 'slow-consumer')
})

test('a stuck peer is cut off at the first fragment, where messages are dropped', async (t) => {
  const { clock, socket } = await connectAging(t, TCP, { overflow: 'drop' })
  await clock.advance(AGED)
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
  await clock.advance(AGED)
  assert.equal((await socket.closed).cause, 'slow-consumer')
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
