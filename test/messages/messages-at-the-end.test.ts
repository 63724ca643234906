// What becomes of messages that were received and not handled when a connection ends.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { OTHERS_ENDS, OUR_ENDS } from '../support/models/ends.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { closeFrame, deflated } = RawPeer

/** Resolves when the transport is gone; hooks and releases may still run. */
async function gone({ socket }: Pick<Connected, 'socket'>): Promise<void> {
  await until(() => socket.readyState === socket.CLOSED)
}

for (const [what, end] of Object.entries(OTHERS_ENDS)) {
  test(`what was received before ${what} is handled in order, before onUnexpectedClose, onClose and the releases`, async (t) => {
    const stuck = gate()
    const events: string[] = []
    let isClosed = false
    const connected = await connectOne(t, {
      handler: (socket) => {
        socket.scope.defer(() => events.push('release'))
      },
      route: {
        onMessage: async (socket, _request, message) => {
          await stuck.opened
          await turns(1)
          assert.equal(socket.scope.signal.aborted, true)
          assert.equal(socket.send('too late'), false)
          events.push(String(message))
        },
        onUnexpectedClose: () => void events.push('unexpected'),
        onClose: () => void events.push('close'),
      },
    })
    const { peer, socket, app } = connected
    void socket.closed.then(() => (isClosed = true))
    peer.send(...texts('1', '2', '3'))
    await roundTrip(peer)
    await end(connected)
    await gone(connected)
    await turns()
    assert.deepEqual([events, isClosed], [[], false])
    stuck.open()
    const { expected } = await socket.closed
    const hooks = [...(expected ? [] : ['unexpected']), 'close', 'release']
    assert.deepEqual(events, ['1', '2', '3', ...hooks])
    const { abandoned, dropped } = app.websocketLifecycle.stats()
    assert.deepEqual({ abandoned, dropped }, { abandoned: 0, dropped: 0 })
  })
}

for (const [what, end] of Object.entries(OUR_ENDS)) {
  test(`what was received before ${what} is dropped and counted; what is being handled may end, before onClose`, async (t) => {
    const stuck = gate()
    const events: string[] = []
    const connected = await connectOne(t, {
      route: {
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          events.push(String(message))
        },
        onClose: () => void events.push('close'),
      },
    })
    const { peer, socket, app } = connected
    peer.send(...texts('1', '2', '3'))
    await roundTrip(peer)
    await end(connected)
    await gone(connected)
    stuck.open()
    await socket.closed
    assert.deepEqual(events, ['1', 'close'])
    const { abandoned, dropped } = app.websocketLifecycle.stats()
    assert.deepEqual({ abandoned, dropped }, { abandoned: 0, dropped: 2 })
  })
}

test('messages in one packet with the close frame are handled, each awaited, before onClose', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onMessage: async (_socket, _request, message) => {
        await turns(1)
        order.push(String(message))
      },
      onClose: () => void order.push('close'),
    },
  })
  const sent = Array.from({ length: 200 }, (_, i) => String(i))
  peer.send(...texts(...sent), closeFrame(1000))
  assert.equal((await socket.closed).messagesReceived, 200)
  assert.deepEqual(order, [...sent, 'close'])
})

test('compressed messages that are unpacked after the FIN behind them are handled before onClose', async (t) => {
  const order: unknown[] = []
  const { peer, socket } = await connectOne(
    t,
    {
      options: { websocket: { perMessageDeflate: true } },
      route: {
        onMessage: async (_socket, _request, message) => {
          await turns(1)
          order.push(message.length)
        },
        onClose: () => void order.push('close'),
      },
    },
    DEFLATE,
  )
  peer.socket.end(Buffer.concat([1, 2, 3].map((size) => deflated('x'.repeat(size * 100_000)))))
  assert.equal((await socket.closed).cause, 'connection-lost')
  assert.deepEqual(order, [100_000, 200_000, 300_000, 'close'])
})

test('the end waits for an async handler where messages wait for it, and not otherwise', async (t) => {
  for (const messages of [['1', '2'], []]) {
    const loaded = gate()
    const order: string[] = []
    const { peer, socket } = await connectOne(t, {
      handler: () => loaded.opened,
      route: {
        onMessage: (_socket, _request, message) => void order.push(String(message)),
        onClose: () => void order.push('close'),
      },
    })
    if (messages.length > 0) peer.send(...texts(...messages))
    await roundTrip(peer)
    peer.send(closeFrame(1000))
    await gone({ socket })
    await turns()
    assert.deepEqual(order, messages.length > 0 ? [] : ['close'])
    loaded.open()
    await socket.closed
    assert.deepEqual(order, [...messages, 'close'])
  }
})

test('a listener that comes after the end hears what was received before it', async (t) => {
  const loaded = gate()
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      await loaded.opened
      socket.on('message', (data: Buffer) => order.push(data.toString()))
      await never
    },
    route: { onClose: () => void order.push('close') },
  })
  peer.send(...texts('1', '2'), closeFrame(1000))
  await gone({ socket })
  loaded.open()
  await socket.closed
  assert.deepEqual(order, ['1', '2', 'close'])
})

interface Timed extends Connected {
  readonly clock: FakeClock
  readonly lines: LogLine[]
  readonly order: string[]
  readonly told: string[]
}

const CLEANUP = 2_000

/** A connection on a clock of its own that notes what is handled, called and told. */
async function connectTimed(t: TestContext, setup: OneRoute): Promise<Timed> {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const [order, told]: [string[], string[]] = [[], []]
  const connected = await connectOne(t, {
    ...setup,
    clock,
    fastify,
    options: { keepalive: false, cleanupTimeout: CLEANUP },
    route: {
      onClose: () => void order.push('close'),
      onHandlerError: (_socket, _request, error) => void told.push(error.message),
      ...setup.route,
    },
  })
  connected.socket.scope.defer(() => order.push('release'))
  return { ...connected, clock, lines, order, told }
}

function abandonedSteps(lines: readonly LogLine[]): unknown[] {
  return lines.flatMap(({ msg, step, route }) =>
    String(msg).includes('overran') ? [{ step, route }] : [],
  )
}

/** What keeps messages from being handled in time, with what of two messages is dropped then. */
const HANGS: ReadonlyArray<{
  readonly who: string
  readonly dropped: number
  readonly setup: (order: string[]) => OneRoute
}> = [
  {
    who: 'an onMessage that hangs',
    dropped: 1,
    setup: (order) => ({
      route: {
        onMessage: (_socket, _request, message) => {
          order.push(String(message))
          return never
        },
      },
    }),
  },
  {
    who: 'a handler that hangs before onMessage',
    dropped: 2,
    setup: (order) => ({
      handler: () => never,
      route: { onMessage: (_socket, _request, message) => void order.push(String(message)) },
    }),
  },
  {
    who: 'a handler that hangs before it listens',
    dropped: 2,
    setup: () => ({ handler: () => never }),
  },
  {
    who: 'a loop that hangs',
    dropped: 1,
    setup: (order) => ({
      handler: async (socket) => {
        for await (const message of socket.messages()) {
          order.push(String(message))
          await never
        }
      },
    }),
  },
]

for (const { who, dropped, setup } of HANGS) {
  test(`${who} is left behind after cleanupTimeout, as the step \`messages\`; what waits is dropped and counted`, async (t) => {
    const handled: string[] = []
    const connected = await connectTimed(t, setup(handled))
    const { app, clock, peer, socket, order, lines } = connected
    peer.send(...texts('1', '2'))
    await roundTrip(peer)
    peer.send(closeFrame(1000))
    await gone(connected)
    await clock.advance(CLEANUP - 1)
    assert.deepEqual(order, [])
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
    await clock.advance(1)
    await within(socket.closed, 'the end')
    assert.equal(handled.length, 2 - dropped)
    assert.deepEqual(order, ['close', 'release'])
    assert.deepEqual(abandonedSteps(lines), [{ step: 'messages', route: '/' }])
    const stats = app.websocketLifecycle.stats()
    assert.deepEqual(
      { abandoned: stats.abandoned, dropped: stats.dropped, open: stats.open },
      { abandoned: 1, dropped, open: 0 },
    )
  })
}

test('all messages share one cleanupTimeout, however quick each of them is', async (t) => {
  const waiting: Gate[] = []
  const connected = await connectTimed(t, {
    route: {
      onMessage: async () => {
        const done = gate()
        waiting.push(done)
        await done.opened
      },
    },
  })
  const { app, clock, peer, socket } = connected
  peer.send(...texts('1', '2', '3', '4', '5'), closeFrame(1000))
  await gone(connected)
  for (let i = 0; i < 3; i++) {
    await clock.advance(CLEANUP / 4)
    waiting[i]?.open()
    await turns()
  }
  await clock.advance(CLEANUP / 4)
  await within(socket.closed, 'the end')
  assert.equal(waiting.length, 4)
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})

test('what was left behind touches nothing: its failure is logged alone, and no message follows it', async (t) => {
  const stuck = gate()
  const handled: string[] = []
  const connected = await connectTimed(t, {
    route: {
      onMessage: async (_socket, _request, message) => {
        handled.push(String(message))
        await stuck.opened
        throw new Error('too late')
      },
    },
  })
  const { clock, peer, socket, told, lines } = connected
  peer.send(...texts('1', '2'), closeFrame(1000))
  await gone(connected)
  await clock.advance(CLEANUP)
  const close = await within(socket.closed, 'the end')
  const before = lines.length
  stuck.open()
  await turns()
  assert.deepEqual(handled, ['1'])
  assert.deepEqual(told, [])
  assert.equal(close.error, undefined)
  const [line, ...others] = lines.slice(before)
  assert.deepEqual(others, [])
  assert.deepEqual(
    [
      line?.['level'],
      line?.['route'],
      line?.['step'],
      Reflect.get(line?.['err'] as object, 'message'),
    ],
    [50, '/', 'onMessage', 'too late'],
  )
})

test('a failure of what was left behind is logged alone also while onClose still runs', async (t) => {
  const [stuck, cleaned] = [gate(), gate()]
  const connected = await connectTimed(t, {
    route: {
      onMessage: async () => {
        await stuck.opened
        throw new Error('too late')
      },
      onClose: () => cleaned.opened,
    },
  })
  const { clock, peer, socket, told } = connected
  peer.send(...texts('1'), closeFrame(1000))
  await gone(connected)
  await clock.advance(CLEANUP)
  stuck.open()
  await turns()
  cleaned.open()
  await within(socket.closed, 'the end')
  assert.deepEqual(told, [])
})

test('an onMessage that throws during the end is told to onHandlerError, changes no record, and stops no other message', async (t) => {
  const stuck = gate()
  const connected = await connectTimed(t, {
    route: {
      onMessage: async (_socket, _request, message) => {
        await stuck.opened
        connected.order.push(String(message))
        if (message !== '3') throw new Error(`of message ${String(message)}`)
      },
    },
  })
  const { app, peer, socket, order, told } = connected
  peer.send(...texts('1', '2', '3'), closeFrame(1000))
  await gone(connected)
  stuck.open()
  const { cause, code, error, expected } = await socket.closed
  assert.deepEqual(
    { cause, code, error, expected },
    { cause: 'client-close', code: 1000, error: undefined, expected: true },
  )
  assert.deepEqual(told, ['of message 1', 'of message 2'])
  assert.deepEqual(order, ['1', '2', '3', 'close', 'release'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('what onHandlerError does about a message of the end is waited for, before onClose', async (t) => {
  const stuck = gate()
  const connected = await connectTimed(t, {
    route: {
      onMessage: async () => {
        await stuck.opened
        throw new Error('of the message')
      },
      onHandlerError: async () => {
        await turns(3)
        connected.order.push('told')
      },
    },
  })
  const { peer, socket, order } = connected
  peer.send(...texts('1'), closeFrame(1000))
  await gone(connected)
  stuck.open()
  await socket.closed
  assert.deepEqual(order, ['told', 'close', 'release'])
})

test('an onMessage that gives up because the signal has aborted has failed nobody', async (t) => {
  const connected = await connectTimed(t, {
    route: {
      onMessage: (socket) =>
        new Promise((_resolve, reject) => {
          const { signal } = socket.scope
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    },
  })
  const { peer, socket, order, told, lines } = connected
  peer.send(...texts('1'))
  await roundTrip(peer)
  peer.send(closeFrame(1000))
  await socket.closed
  assert.deepEqual(told, [])
  assert.deepEqual(order, ['close', 'release'])
  assert.deepEqual(
    lines.filter(({ level }) => Number(level) >= 40),
    [],
  )
})

/** Ends after which nothing more is handled, with how many of the messages are dropped. */
const DROPPING: ReadonlyArray<{
  readonly cause: string
  readonly code: number
  readonly dropped: number
  readonly route: RouteLifecycleOptions
  readonly provoke: (connected: Connected) => unknown
}> = [
  {
    cause: 'handler-error',
    code: 1011,
    dropped: 3,
    route: {},
    provoke: ({ socket }) => {
      socket.on('custom', () => {
        throw new Error('of a listener')
      })
      socket.emit('custom')
    },
  },
  {
    cause: 'rate-limited',
    code: 1008,
    // The one that was too much is among them.
    dropped: 4,
    route: { messageRate: { max: 3, window: 60_000 } },
    provoke: ({ peer }) => peer.send(...texts('too much')),
  },
  {
    cause: 'slow-consumer',
    code: 1013,
    dropped: 3,
    route: { outbox: { maxBytes: 100_000 } },
    provoke: ({ peer, socket }) => {
      peer.freeze()
      const [large, small] = [Buffer.alloc(32 * 1024 * 1024), Buffer.alloc(1)]
      socket.send(large)
      socket.send(small)
      // It reads on, and looks at nothing.
      peer.socket.removeAllListeners('data')
      peer.socket.resume()
    },
  },
]

for (const { cause, code, dropped, route, provoke } of DROPPING) {
  test(`after ${cause} what waits and what comes is dropped and counted; what is being handled may end`, async (t) => {
    const stuck = gate()
    const began: string[] = []
    const ended: string[] = []
    const connected = await connectTimed(t, {
      route: {
        ...route,
        onMessage: async (_socket, _request, message) => {
          began.push(String(message))
          await stuck.opened
          ended.push(String(message))
        },
      },
    })
    const { app, peer, socket } = connected
    peer.send(...texts('1', '2', '3'))
    await roundTrip(peer)
    await provoke(connected)
    await until(() => socket.scope.signal.aborted)
    peer.send(...texts('late'), closeFrame(code))
    await gone(connected)
    stuck.open()
    const close = await socket.closed
    assert.deepEqual([close.cause, close.sent?.code, close.clean], [cause, code, true])
    assert.deepEqual([began, ended], [['1'], ['1']])
    assert.equal(app.websocketLifecycle.stats().dropped, dropped)
  })
}
