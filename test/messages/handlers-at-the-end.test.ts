// What handles messages when their connection has ended: how long it may take, and what becomes of its errors.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import type { LogLine } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import type { OneRoute } from '../support/servers/server.js'
import { CLEANUP, connectTimed } from '../support/servers/timed-end.js'
import { gone } from '../support/servers/gone.js'

const { closeFrame } = RawPeer

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
  test(`${who} is left at cleanupTimeout; what waits is dropped`, async (t) => {
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

test('what was left behind touches nothing: its failure is only logged, no message follows it', async (t) => {
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

test('a throw of onMessage during the end is told, changes no record, and stops no message', async (t) => {
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
