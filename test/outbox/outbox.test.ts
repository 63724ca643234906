import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { within } from '../support/time/bound.js'
import { clog, MORE_THAN_A_KERNEL_HOLDS, readAway, unclog } from '../support/servers/outbox.js'
import { type Frame, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'

const { closeFrame } = RawPeer
const keepalive = false
const MiB = 1024 * 1024
const ROOMY = 2 * MORE_THAN_A_KERNEL_HOLDS

type Data = Parameters<LifecycleSocket['send']>[0]

/** All that ws sends, so many bytes of it. */
const KINDS: Readonly<Record<string, (bytes: number) => Data>> = {
  text: (bytes) => 'x'.repeat(bytes),
  '3-byte text': (bytes) => '€'.repeat(bytes / 3) + 'x'.repeat(bytes % 3),
  'a Buffer': (bytes) => Buffer.alloc(bytes, 'x'),
  'an ArrayBuffer': (bytes) => new Uint8Array(bytes).fill(120).buffer,
  'part of an array': (bytes) => new Uint8Array(bytes + 9).fill(120).subarray(4, 4 + bytes),
  'a DataView': (bytes) => new DataView(new Uint8Array(bytes + 9).fill(120).buffer, 7, bytes),
  'a Blob': (bytes) => new Blob(['x'.repeat(bytes)]),
}

/** Data of this size as the peer is to get it. */
async function payloadOf(data: unknown): Promise<Buffer> {
  if (data instanceof Blob) return Buffer.from(await data.arrayBuffer())
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return Buffer.from(String(data))
}

/** A connection whose peer does not read: what is sent from now on waits. */
async function connectClogged(
  t: Parameters<typeof connectOne>[0],
  setup: OneRoute,
): Promise<Connected> {
  const connected = await connectOne(t, { ...setup, options: { keepalive, ...setup.options } })
  connected.peer.freeze()
  await clog(connected.socket)
  return connected
}

async function framesUntilEnd(peer: RawPeer): Promise<Frame[]> {
  const frames: Frame[] = []
  for (let each = await peer.next(); each !== undefined; each = await peer.next()) {
    frames.push(each)
    if (each.opcode === OPCODE.close) break
  }
  return frames
}

const texts = (frames: readonly Frame[]): string[] =>
  frames.map(({ payload }) => payload.toString())

for (const [kind, make] of Object.entries(KINDS)) {
  test(`send() of ${kind} is true below the mark, false above it, and sends both times`, async (t) => {
    const { peer, socket } = await connectOne(t, {
      route: { outbox: { highWaterMark: 100_000, maxBytes: ROOMY } },
    })
    assert.equal(socket.send(make(1_000)), true)
    assert.deepEqual((await peer.next())?.payload, await payloadOf(make(1_000)))
    peer.freeze()
    await clog(socket)
    assert.equal(socket.send(make(1_000)), false)
    unclog(peer)
    assert.deepEqual((await peer.next())?.payload, await payloadOf(make(1_000)))
  })

  test(`maxBytes counts the bytes of ${kind} that is about to be sent`, async (t) => {
    const maxBytes = MORE_THAN_A_KERNEL_HOLDS + MiB
    const { socket, closes } = await connectClogged(t, { route: { outbox: { maxBytes } } })
    const room = maxBytes - socket.bufferedAmount
    socket.send(make(room - 10))
    assert.equal(socket.readyState, socket.OPEN)
    socket.send(make(11))
    assert.equal(socket.readyState, socket.CLOSING)
    socket.terminate()
    await socket.closed
    assert.equal(closes[0]?.cause, 'slow-consumer')
  })

  test(`${kind} that fits to the byte is sent, and with one byte more is not`, async (t) => {
    const maxBytes = MORE_THAN_A_KERNEL_HOLDS + MiB
    for (const [more, state] of [
      [0, 'OPEN'],
      [1, 'CLOSING'],
    ] as const) {
      const { socket } = await connectClogged(t, { route: { outbox: { maxBytes } } })
      socket.send(make(maxBytes - socket.bufferedAmount + more))
      assert.equal(socket.readyState, socket[state])
      socket.terminate()
    }
  })
}

test('a number is sent as text, and counted as such', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { outbox: { highWaterMark: 10, maxBytes: ROOMY } },
  })
  assert.equal(socket.send(12_345), true)
  assert.equal((await peer.next())?.payload.toString(), '12345')
  peer.freeze()
  await clog(socket)
  assert.equal(socket.send(-0.5), false)
  unclog(peer)
  assert.equal((await peer.next())?.payload.toString(), '-0.5')
})

test('fragments are sent as such, and answer as whole messages do', async (t) => {
  const { peer, socket } = await connectOne(t, { route: { outbox: { maxBytes: ROOMY } } })
  assert.equal(socket.send('on', { fin: false }), true)
  assert.equal(socket.send('e'), true)
  assert.equal((await peer.next())?.opcode, OPCODE.text)
  assert.equal((await peer.next())?.opcode, OPCODE.continuation)
  peer.freeze()
  await clog(socket)
  assert.equal(socket.send('tw', { fin: false }), false)
  assert.equal(socket.send('o'), false)
  unclog(peer)
  const frames = [await peer.next(), await peer.next()]
  assert.deepEqual(
    frames.map((each) => [each?.opcode, each?.payload.toString()]),
    [
      [OPCODE.text, 'tw'],
      [OPCODE.continuation, 'o'],
    ],
  )
})

const told = { skip: DIFFERS_OVER_TLS.told }
test('with a mark of 0, send() answers whether the kernel took it all', told, async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { outbox: { highWaterMark: 0, maxBytes: ROOMY } },
  })
  for (let i = 0; i < 100; i++) assert.equal(socket.send('x'.repeat(100)), true)
  assert.equal(socket.bufferedAmount, 0)
  peer.freeze()
  await clog(socket)
  assert.equal(socket.send(''), false)
})

const ENDS: Readonly<Record<string, (connected: Connected) => unknown>> = {
  'after close()': ({ socket }) => socket.close(),
  'after terminate()': ({ socket }) => socket.terminate(),
  "after the peer's close frame": async ({ peer, socket }) => {
    peer.send(closeFrame(1000))
    await socket.closed
  },
  "after the peer's reset": async ({ peer, socket }) => {
    peer.reset()
    await socket.closed
  },
}

for (const [when, end] of Object.entries(ENDS)) {
  test(`${when} send() is false, and callbacks get an Error in a later tick`, async (t) => {
    const connected = await connectOne(t)
    const { socket } = connected
    await end(connected)
    const told: unknown[] = []
    const note = (error?: Error): unknown => told.push(error)
    assert.equal(socket.send('x'), false)
    assert.equal(socket.send('x', note), false)
    assert.equal(socket.send('x', { binary: true }, note), false)
    socket.ping('x', false, note)
    socket.pong('x', false, note)
    assert.equal(told.length, 0, 'in the same tick')
    await turns(1)
    assert.equal(told.length, 4)
    for (const error of told) assert.ok(error instanceof ConnectionClosedError)
    assert.equal(socket.bufferedAmount, 0)
  })
}

test('the callback of a message that was sent is called once, without an error, after it left', async (t) => {
  const { peer, socket } = await connectOne(t, { route: { outbox: { maxBytes: ROOMY } } })
  const told: unknown[] = []
  const note = (error?: Error | null): unknown => told.push(error ?? 'left')
  for (let i = 0; i < 5; i++) socket.send('x', note)
  assert.equal(told.length, 0)
  await turns(1)
  assert.deepEqual(told, Array(5).fill('left'))
  peer.freeze()
  await clog(socket)
  socket.send('y', note)
  await turns()
  assert.equal(told.length, 5)
  readAway(peer)
  await within(untilTold(told, 6), 'the callback of a message that waited')
  assert.deepEqual(told, Array(6).fill('left'))
})

test('the callback of a message that still waits when the connection is lost gets an error', async (t) => {
  const { peer, socket } = await connectClogged(t, {
    route: { outbox: { maxBytes: ROOMY } },
  })
  const told: unknown[] = []
  socket.send('first', (error) => told.push(error))
  socket.send('second', (error) => told.push(error))
  peer.reset()
  await socket.closed
  assert.equal(told.length, 2)
  for (const error of told) assert.ok(error instanceof Error)
})

async function untilTold(told: readonly unknown[], count: number): Promise<void> {
  await until(() => told.length >= count)
}

test('where nothing waits a message of any size is sent, and arrives whole', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { outbox: { highWaterMark: 0, maxBytes: 1024 } },
  })
  for (let i = 0; i < 3; i++) {
    const data = Buffer.alloc(2 * MiB, i)
    socket.send(data)
    assert.deepEqual((await peer.next())?.payload, data)
    assert.equal(await socket.drained(), true)
  }
  assert.equal(socket.readyState, socket.OPEN)
})

test('a slow consumer ends with 1013, unexpected; what was queued before comes first', async (t) => {
  const { peer, socket, events, closes } = await connectClogged(t, {
    route: { outbox: { maxBytes: MORE_THAN_A_KERNEL_HOLDS + MiB } },
  })
  socket.send('queued')
  const told: unknown[] = []
  assert.equal(
    socket.send(Buffer.alloc(MiB), (error) => told.push(error)),
    false,
  )
  assert.equal(socket.readyState, socket.CLOSING)
  assert.equal(told.length, 0)
  await turns(1)
  assert.ok(told[0] instanceof ConnectionClosedError)
  assert.equal(Reflect.get(told[0], 'closeCause'), 'slow-consumer')
  unclog(peer)
  const [queued, close, ...rest] = await framesUntilEnd(peer)
  assert.equal(queued?.payload.toString(), 'queued')
  assert.equal(close?.payload.readUInt16BE(), 1013)
  assert.deepEqual(rest, [])
  peer.send(closeFrame(1013))
  const { cause, initiator, expected, clean, sent, messagesSent } = await socket.closed
  assert.deepEqual(
    { cause, initiator, expected, clean, sent, messagesSent },
    {
      cause: 'slow-consumer',
      initiator: 'server',
      expected: false,
      clean: true,
      sent: { code: 1013, reason: 'slow-consumer' },
      messagesSent: 2,
    },
  )
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  assert.equal(closes.length, 1)
})

test('a slow consumer that goes on not reading is terminated after closeTimeout', async (t) => {
  const clock = new FakeClock()
  const { socket } = await connectClogged(t, { clock, route: { closeTimeout: 1_000 } })
  socket.send('one too many')
  let isOver = false
  void socket.closed.then(() => (isOver = true))
  await clock.advance(900)
  assert.equal(isOver, false)
  // What the two kernels still move between themselves counts as progress.
  await clock.advance(2_000)
  assert.equal(isOver, true)
  assert.equal((await socket.closed).cause, 'slow-consumer')
  assert.equal((await socket.closed).clean, false)
})

test('after a slow consumer was condemned nothing more is queued', async (t) => {
  const { socket, closes } = await connectClogged(t, {})
  socket.send('one too many')
  const waiting = socket.bufferedAmount
  const told: unknown[] = []
  for (let i = 0; i < 100; i++) {
    assert.equal(
      socket.send(Buffer.alloc(10_000), (error) => told.push(error)),
      false,
    )
    socket.ping()
    socket.pong('x')
    socket.close(1000)
    if (i % 10 === 0) await turns(1)
  }
  assert.equal(socket.bufferedAmount, waiting)
  await turns(1)
  assert.equal(told.length, 100)
  socket.terminate()
  await socket.closed
  assert.equal(closes[0]?.cause, 'slow-consumer')
  assert.equal(closes[0]?.sent?.code, 1013)
})

test("'drop' drops and counts whole messages, and tells callbacks; others arrive in order", async (t) => {
  const maxBytes = MORE_THAN_A_KERNEL_HOLDS + 10_000
  const { app, peer, socket } = await connectClogged(t, {
    route: { outbox: { maxBytes, overflow: 'drop' } },
  })
  const told = new Map<string, Error | undefined>()
  const expected: string[] = []
  for (let i = 0; i < 50; i++) {
    // Small ones find room where large ones do not.
    const text = `${i} `.padEnd(i % 3 === 0 ? 3_000 : 30, '.')
    const waiting = socket.bufferedAmount
    assert.equal(
      socket.send(text, (error) => told.set(text, error ?? undefined)),
      false,
    )
    if (socket.bufferedAmount > waiting) expected.push(text)
    assert.ok(socket.bufferedAmount <= maxBytes + 10)
  }
  assert.equal(told.size, 0, 'no callback runs in the same tick')
  await turns(1)
  const dropped = 50 - expected.length
  assert.ok(dropped > 10 && expected.length > 10, `${dropped} of 50`)
  assert.equal(told.size, dropped)
  for (const error of told.values()) assert.match(String(error), /FST_ERR_WSL_OUTBOX_FULL.*dropped/)
  assert.equal(app.websocketLifecycle.stats().dropped, dropped)
  unclog(peer)
  assert.equal(await socket.drained(), true)
  assert.equal(socket.send('after'), true)
  socket.close(4000)
  const frames = await framesUntilEnd(peer)
  assert.deepEqual(texts(frames.slice(0, -1)), [...expected, 'after'])
  for (const text of expected) assert.equal(told.get(text), undefined)
  assert.equal(socket.readyState, socket.CLOSING)
  assert.equal(app.websocketLifecycle.stats().dropped, dropped)
})

const FRAGMENTS: Readonly<Record<string, (socket: LifecycleSocket, fill: () => void) => void>> = {
  'the last part of a message': (socket, fill) => {
    socket.send('begin', { fin: false })
    fill()
    socket.send('end'.repeat(1_000))
  },
  'a middle part of a message': (socket, fill) => {
    socket.send('begin', { fin: false })
    fill()
    socket.send('middle'.repeat(1_000), { fin: false })
  },
  'the first part of a message': (socket, fill) => {
    fill()
    socket.send('begin'.repeat(1_000), { fin: false })
  },
}

for (const [part, overflow] of Object.entries(FRAGMENTS)) {
  test(`'drop' tears no message: it ends where ${part} finds no room`, async (t) => {
    const maxBytes = MORE_THAN_A_KERNEL_HOLDS + 10_000
    const { app, peer, socket } = await connectClogged(t, {
      route: { outbox: { maxBytes, overflow: 'drop' } },
    })
    overflow(socket, () => {
      socket.ping(Buffer.alloc(100))
      while (socket.bufferedAmount < maxBytes - 1_000) socket.ping(Buffer.alloc(100))
    })
    assert.equal(socket.readyState, socket.CLOSING)
    unclog(peer)
    const frames = await framesUntilEnd(peer)
    const close = frames.pop()
    assert.equal(close?.opcode, OPCODE.close)
    assert.equal(close?.payload.readUInt16BE(), 1013)
    const messages = texts(frames.filter(({ opcode }) => opcode !== OPCODE.ping))
    assert.deepEqual(messages, part.startsWith('the first') ? [] : ['begin'])
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
    peer.send(closeFrame(1013))
    assert.equal((await socket.closed).cause, 'slow-consumer')
  })
}

test("maxBytes bounds pings and pongs too; 'drop' drops them, 'close' ends the connection", async (t) => {
  for (const overflow of ['drop', 'close'] as const) {
    const maxBytes = MORE_THAN_A_KERNEL_HOLDS + 10_000
    const { socket } = await connectClogged(t, { route: { outbox: { maxBytes, overflow } } })
    const told: unknown[] = []
    for (let i = 0; i < 1_000; i++) {
      socket.ping(Buffer.alloc(100))
      socket.pong('x', false, (error) => told.push(error))
      assert.ok(socket.bufferedAmount <= maxBytes + 1_000, `${socket.bufferedAmount - maxBytes}`)
    }
    assert.equal(socket.readyState, overflow === 'drop' ? socket.OPEN : socket.CLOSING)
    await turns(1)
    assert.ok(told.length > 800 && told.every((error) => error instanceof Error))
    socket.terminate()
  }
})
