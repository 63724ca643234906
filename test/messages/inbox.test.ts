// The bounds of what was received and is not yet handled, and the pauses of reading that they cause.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type {
  InboxOptions,
  LifecycleSocket,
  Message,
  RouteLifecycleOptions,
} from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, type OneRoute } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { closeFrame, deflated, frame } = RawPeer

/** What one read of a socket holds at most. */
const ONE_READ = 64 * 1024

/** Resolves when the server reads no more for 50 polls of the loop. */
async function stalled(raw: Socket): Promise<number> {
  let last = -1
  for (let quiet = 0; quiet < 50; quiet++) {
    if (raw.bytesRead !== last) quiet = 0
    last = raw.bytesRead
    await turns(1)
  }
  return last
}

interface Stuck {
  readonly route?: RouteLifecycleOptions
  readonly handler?: (socket: LifecycleSocket) => unknown
}

/** Who handles nothing until the gate opens, and then takes note of each message. */
const STUCK: Readonly<Record<string, (stuck: Gate, note: (size: number) => void) => Stuck>> = {
  'an onMessage that hangs': (stuck, note) => ({
    route: {
      onMessage: async (_socket, _request, message) => {
        await stuck.opened
        note(message.length)
      },
    },
  }),
  'an onMessage whose handler hangs': (stuck, note) => ({
    route: { onMessage: (_socket, _request, message) => note(message.length) },
    handler: () => stuck.opened,
  }),
  'a loop that hangs': (stuck, note) => ({
    handler: async (socket) => {
      for await (const message of socket.messages()) {
        await stuck.opened
        note(message.length)
      }
    },
  }),
  'a listener that comes late': (stuck, note) => ({
    handler: async (socket) => {
      await stuck.opened
      socket.on('message', (data: Buffer) => note(data.length))
    },
  }),
}

for (const [who, setup] of Object.entries(STUCK)) {
  test(`against ${who} 26 MB are not read: TCP pushes back on the sender, and nothing is lost`, async (t) => {
    const stuck = gate()
    let handled = 0
    const connected = await connectOne(
      t,
      setup(stuck, (size) => (handled += size)),
    )
    const { app, peer, socket } = connected
    const raw = rawOf(socket)
    const before = raw.bytesRead
    const message = frame(OPCODE.binary, Buffer.alloc(64_000))
    for (let i = 0; i < 406; i++) peer.socket.write(message)
    await until(() => socket.isPaused)
    const read = (await stalled(raw)) - before
    // Full at a megabyte; one read on top, and one more that node itself has buffered.
    assert.ok(read >= 1024 * 1024 && read <= 1024 * 1024 + 4 * ONE_READ, `${read}`)
    // What is neither read nor in the two buffers of the kernel waits with the sender.
    assert.ok(peer.socket.writableLength > 5_000_000, `${peer.socket.writableLength}`)
    stuck.open()
    await until(() => handled === 406 * 64_000)
    assert.equal(socket.isPaused, false)
    assert.equal(peer.socket.writableLength, 0)
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })

  test(`against ${who} 600 kB of empty messages are not read: messages count, however small`, async (t) => {
    const stuck = gate()
    let handled = 0
    const { app, peer, socket } = await connectOne(
      t,
      setup(stuck, () => handled++),
    )
    const raw = rawOf(socket)
    const before = raw.bytesRead
    peer.socket.write(Buffer.alloc(600_000, frame(OPCODE.text)))
    await until(() => socket.isPaused)
    const read = (await stalled(raw)) - before
    assert.ok(read <= 4 * ONE_READ, `${read}`)
    stuck.open()
    await until(() => handled === 100_000)
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })
}

/** A text message of 100 bytes. */
const sized = (name: string): Buffer => frame(OPCODE.text, name.padEnd(100))

type Handle = (message: Message) => Promise<void>

const BOUNDS: ReadonlyArray<{
  readonly bound: string
  readonly inbox: InboxOptions
}> = [
  { bound: 'maxMessages', inbox: { maxMessages: 4 } },
  { bound: 'maxBytes', inbox: { maxBytes: 400 } },
]

const READERS: Readonly<Record<string, (handle: Handle) => OneRoute>> = {
  onMessage: (handle) => ({
    route: { onMessage: async (_socket, _request, message) => handle(message) },
  }),
  'messages()': (handle) => ({
    handler: async (socket) => {
      for await (const message of socket.messages()) await handle(message)
    },
  }),
}

const bounded = BOUNDS.flatMap(({ bound, inbox }) =>
  Object.entries(READERS).map(([reader, setup]) => ({ bound, inbox, reader, setup })),
)

for (const { bound, inbox, reader, setup } of bounded) {
  test(`at \`${bound}\` reading pauses, also for one that ${reader} handles; half empty, it resumes`, async (t) => {
    const waiting: Array<() => void> = []
    const got: string[] = []
    const { route, handler } = setup(async (message) => {
      got.push(String(message).trim())
      await new Promise<void>((resolve) => waiting.push(resolve))
    })
    const { peer, socket } = await connectOne(t, {
      route: { ...route, inbox },
      ...(handler && { handler }),
    })
    peer.send(sized('1'), sized('2'), sized('3'))
    await roundTrip(peer)
    assert.equal(socket.isPaused, false)
    peer.send(sized('4'))
    await until(() => socket.isPaused)
    peer.send(sized('5'))
    await handleOne()
    assert.deepEqual([got, socket.isPaused], [['1', '2'], true])
    await handleOne()
    assert.deepEqual([got, socket.isPaused], [['1', '2', '3'], false])
    await roundTrip(peer)
    for (let i = 0; i < 3; i++) await handleOne()
    assert.deepEqual(got, ['1', '2', '3', '4', '5'])

    async function handleOne(): Promise<void> {
      waiting.shift()?.()
      await turns(1)
    }
  })
}

test('a message that is larger than the whole inbox is handled, and reading goes on after it', async (t) => {
  const handled = gate()
  const got: number[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { maxBytes: 10 },
      onMessage: async (_socket, _request, message) => {
        got.push(message.length)
        await handled.opened
      },
    },
  })
  peer.send(frame(OPCODE.text, 'x'.repeat(5_000)))
  await until(() => socket.isPaused)
  handled.open()
  await until(() => !socket.isPaused)
  peer.send(...texts('next'))
  await roundTrip(peer)
  assert.deepEqual(got, [5_000, 4])
})

const KIB = 1024
const compressing = { websocket: { perMessageDeflate: true, maxPayload: 100 * KIB } }

const LIMITS = [
  { maxBytes: 100 * KIB, limit: 300 * KIB, why: 'twice maxBytes and maxPayload' },
  { maxBytes: 36 * KIB, limit: 200 * KIB, why: 'maxBytes, a read of 64 KiB and maxPayload' },
]

for (const [who, setup] of Object.entries(STUCK)) {
  for (const { maxBytes, limit, why } of LIMITS) {
    const most = limit / (100 * KIB)

    test(`against ${who} what one read unpacks to may be ${limit} bytes: ${why}`, async (t) => {
      const stuck = gate()
      const sizes: number[] = []
      const arranged = setup(stuck, (size) => sizes.push(size))
      const { app, peer, socket } = await connectOne(
        t,
        {
          ...arranged,
          options: compressing,
          route: { ...arranged.route, inbox: { maxBytes } },
        },
        DEFLATE,
      )
      const bomb = deflated('x'.repeat(100 * KIB))
      peer.send(...Array.from({ length: most }, () => bomb), ...texts(''))
      await until(() => socket.isPaused)
      await turns(50)
      assert.equal(socket.readyState, socket.OPEN)
      stuck.open()
      await roundTrip(peer)
      await turns()
      assert.deepEqual(sizes, [...Array.from({ length: most }, () => 100 * KIB), 0])
      assert.equal(app.websocketLifecycle.stats().dropped, 0)
    })

    test(`against ${who} what unpacks to more than ${limit} bytes is a message-too-big: ${why}`, async (t) => {
      const stuck = gate()
      const arranged = setup(stuck, () => {})
      const { peer, socket, events } = await connectOne(
        t,
        {
          ...arranged,
          options: compressing,
          route: { ...arranged.route, inbox: { maxBytes } },
        },
        DEFLATE,
      )
      const bomb = deflated('x'.repeat(100 * KIB))
      peer.send(...Array.from({ length: most }, () => bomb), deflated('x'))
      const close = await within(peer.nextOf(OPCODE.close), 'a close frame')
      assert.equal(close?.payload.toString('latin1'), '\x03\xf1message-too-big')
      stuck.open()
      peer.send(closeFrame(1009))
      const { cause, initiator, expected, sent, clean } = await socket.closed
      assert.deepEqual(
        { cause, initiator, expected, sent, clean },
        {
          cause: 'message-too-big',
          initiator: 'client',
          expected: false,
          sent: { code: 1009, reason: 'message-too-big' },
          clean: true,
        },
      )
      assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
    })
  }
}

test('`concurrency` does not lift the bound on what compression makes', async (t) => {
  const stuck = gate()
  const { peer, socket } = await connectOne(
    t,
    {
      options: compressing,
      route: {
        inbox: { maxBytes: 100 * KIB, maxMessages: 1_000, concurrency: 1_000 },
        onMessage: () => stuck.opened,
      },
    },
    DEFLATE,
  )
  const bomb = deflated('x'.repeat(100 * KIB))
  peer.send(...Array.from({ length: 200 }, () => bomb), frame(OPCODE.ping))
  const answer = await within(peer.next(), 'an answer')
  assert.equal(answer?.payload.toString('latin1'), '\x03\xf1message-too-big')
  stuck.open()
  peer.send(closeFrame(1009))
  assert.equal((await socket.closed).cause, 'message-too-big')
})

test('what is unpacked after the end has begun is bounded too: the rest is dropped and counted', async (t) => {
  const stuck = gate()
  let held = 0
  const { app, peer, socket } = await connectOne(
    t,
    {
      options: compressing,
      route: {
        inbox: { maxBytes: 100 * KIB },
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          held += message.length
        },
      },
    },
    DEFLATE,
  )
  const bomb = deflated('x'.repeat(100 * KIB))
  // The FIN is seen while the first of these is being inflated.
  peer.socket.end(Buffer.concat(Array.from({ length: 100 }, () => bomb)))
  await until(() => socket.readyState === socket.CLOSED)
  stuck.open()
  const close = await socket.closed
  assert.equal(close.messagesReceived, 100)
  assert.ok(held <= 400 * KIB, `${held}`)
  assert.equal(app.websocketLifecycle.stats().dropped, 100 - held / (100 * KIB))
})

test('a compressed flood within the bounds is held back, and all of it handled', async (t) => {
  const stuck = gate()
  const got: string[] = []
  const { app, peer, socket } = await connectOne(
    t,
    {
      options: compressing,
      route: {
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          got.push(String(message))
        },
      },
    },
    DEFLATE,
  )
  // Half of it is left when it is compressed.
  const sent = Array.from({ length: 1_500 }, () => randomBytes(2 * KIB).toString('hex'))
  peer.send(...sent.map((text) => deflated(text)))
  await until(() => socket.isPaused)
  await stalled(rawOf(socket))
  assert.equal(socket.readyState, socket.OPEN)
  stuck.open()
  await roundTrip(peer)
  await until(() => got.length === sent.length)
  assert.deepEqual(got, sent)
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

interface Paused {
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
  readonly got: string[]
  /** Lets what waits be handled, now and from now on. */
  readonly handle: () => Promise<void>
}

/** A connection whose inbox has room for two messages, and whose handler waits for `handle`. */
async function connectSmall(t: Parameters<typeof connectOne>[0]): Promise<Paused> {
  const stuck = gate()
  const got: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      inbox: { maxMessages: 2 },
      onMessage: async (_socket, _request, message) => {
        await stuck.opened
        got.push(String(message))
      },
    },
  })
  return {
    peer,
    socket,
    got,
    handle: async () => {
      stuck.open()
      await turns()
    },
  }
}

test('an app that pauses while the inbox is full stays paused when it has room', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  socket.pause()
  peer.send(...texts('3'))
  await handle()
  assert.deepEqual([got, socket.isPaused], [['1', '2'], true])
  socket.resume()
  await roundTrip(peer)
  assert.deepEqual([got, socket.isPaused], [['1', '2', '3'], false])
})

test('an app that resumes while the inbox is full does not make it read', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  socket.on('message', () => socket.pause())
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  socket.removeAllListeners('message')
  peer.send(...texts('3'))
  socket.resume()
  await turns(20)
  assert.equal(socket.isPaused, true)
  assert.equal(socket.readyState, socket.OPEN)
  await handle()
  assert.equal(socket.isPaused, false)
  await roundTrip(peer)
  assert.deepEqual(got, ['1', '2', '3'])
})

test('while the app has paused, what waits in the inbox is handled', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1'))
  await roundTrip(peer)
  socket.pause()
  await handle()
  assert.deepEqual([got, socket.isPaused], [['1'], true])
  socket.resume()
  peer.send(...texts('2'))
  await roundTrip(peer)
  assert.deepEqual(got, ['1', '2'])
})

test('our close() while the inbox is full reads on until the close frame: what waits and what comes is dropped and counted', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1', '2'))
  await until(() => socket.isPaused)
  // Far more than the kernel takes: the close frame cannot overtake it.
  const message = frame(OPCODE.binary, Buffer.alloc(64_000))
  for (let i = 0; i < 406; i++) peer.socket.write(message)
  socket.close(4000, 'enough')
  assert.equal(socket.isPaused, false)
  await within(peer.nextOf(OPCODE.close), 'our close frame')
  peer.send(closeFrame(4000, 'enough'))
  await until(() => socket.readyState === socket.CLOSED)
  await handle()
  const close = await socket.closed
  assert.deepEqual([close.cause, close.clean], ['server-close', true])
  assert.deepEqual(close.received, { code: 4000, reason: 'enough' })
  assert.equal(close.messagesReceived, 408)
  assert.deepEqual(got, ['1'])
  assert.equal(socket.request.server.websocketLifecycle.stats().dropped, 407)
})

test('messages that arrive after a close frame that a time limit has sent are handled while the inbox has room', async (t) => {
  const { peer, socket, got, handle } = await connectSmall(t)
  peer.send(...texts('1'))
  await roundTrip(peer)
  socket.expireAt(Date.now() - 1)
  await peer.nextOf(OPCODE.close)
  peer.send(...texts('2', '3', '4'), closeFrame(1000))
  await until(() => socket.readyState === socket.CLOSED)
  await handle()
  await socket.closed
  assert.deepEqual(got, ['1', '2'])
  assert.equal(socket.request.server.websocketLifecycle.stats().dropped, 2)
})

test('keepalive pings, but speaks no verdict, while the inbox pauses reading; after it, it does again', async (t) => {
  const clock = new FakeClock()
  const stuck = gate()
  const { peer, socket } = await connectOne(t, {
    clock,
    route: {
      keepalive: { interval: 1_000, timeout: 500 },
      inbox: { maxMessages: 1 },
      onMessage: () => stuck.opened,
    },
  })
  peer.send(...texts('1'))
  await until(() => socket.isPaused)
  // It answers no ping; had it answered, nobody would have read it.
  await clock.advance(60_000)
  assert.equal(socket.readyState, socket.OPEN)
  const pings: unknown[] = []
  void (async () => {
    while ((await peer.nextOf(OPCODE.ping)) !== undefined) pings.push('ping')
  })()
  await turns()
  assert.ok(pings.length > 50, `${pings.length}`)
  stuck.open()
  await until(() => !socket.isPaused)
  await clock.advance(400)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(1_700)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})
