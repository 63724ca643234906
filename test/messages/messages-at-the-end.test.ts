// What becomes of messages that were received and not handled when a connection ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import { OTHERS_ENDS, OUR_ENDS } from '../support/models/ends.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { connectTimed } from '../support/servers/timed-end.js'
import { gone } from '../support/servers/gone.js'

const { closeFrame, deflated } = RawPeer

for (const [what, end] of Object.entries(OTHERS_ENDS)) {
  test(`what came before ${what} is handled in order, before hooks and releases`, async (t) => {
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
  test(`what waits at ${what} is dropped and counted; a running call ends before onClose`, async (t) => {
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

test('compressed messages that are unpacked after a FIN behind them are handled before onClose', async (t) => {
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
  test(`after ${cause} what waits and comes is dropped and counted; a running call may end`, async (t) => {
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
