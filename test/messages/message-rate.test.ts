// How many messages a peer may send.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { gone } from '../support/servers/gone.js'
import { within } from '../support/time/bound.js'
import { roundTrip } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import {
  type Connected,
  connectOne,
  type OneRoute,
  portOf,
  serve,
  serveOne,
} from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { frame } = RawPeer
const messageRate = { max: 3, window: 1_000 }

interface Timed extends Connected {
  readonly clock: FakeClock
  /** What was handled, or begun to be. */
  readonly handled: string[]
}

type Reads = (handled: string[]) => OneRoute

const listens: Reads = (handled) => ({
  handler: (socket) => socket.on('message', (data: Buffer) => handled.push(data.toString())),
})

/** One connection without keepalive, whose app reads its messages in that way. */
async function connectTimed(t: TestContext, reads = listens, setup: OneRoute = {}): Promise<Timed> {
  const clock = new FakeClock()
  const handled: string[] = []
  const options = { keepalive: false, messageRate, ...setup.options } as const
  const connected = await connectOne(t, { ...reads(handled), ...setup, clock, options })
  return { ...connected, clock, handled }
}

function texts(from: number, to: number): Buffer[] {
  return Array.from({ length: to - from + 1 }, (_, index) => frame(OPCODE.text, `${from + index}`))
}

async function leave({ peer, socket }: Timed): Promise<void> {
  const close = await within(peer.nextOf(OPCODE.close), 'a close frame')
  peer.send(frame(OPCODE.close, close?.payload))
  await within(socket.closed, 'the end')
}

describe('messageRate', () => {
  const readers: Record<string, Reads> = {
    'a plain listener': listens,
    onMessage: (handled) => ({
      route: { onMessage: (_socket, _request, message) => void handled.push(String(message)) },
    }),
    'an async onMessage': (handled) => ({
      route: {
        onMessage: async (_socket, _request, message) => {
          handled.push(String(message))
          await turns(1)
        },
        inbox: { concurrency: 10 },
      },
    }),
    'a loop over messages()': (handled) => ({
      handler: async (socket) => {
        for await (const message of socket.messages()) handled.push(String(message))
      },
    }),
  }
  for (const [reader, reads] of Object.entries(readers)) {
    test(`closes with 1008 at the first message over it, unseen by ${reader}`, async (t) => {
      const timed = await connectTimed(t, reads)
      const { app, peer, handled, closes, events } = timed
      peer.send(...texts(1, 3))
      await roundTrip(peer)
      assert.deepEqual(handled, ['1', '2', '3'])
      peer.send(...texts(4, 6))
      await leave(timed)
      assert.deepEqual(handled, ['1', '2', '3'])
      const { cause, initiator, expected, retryable, sent, messagesReceived } = closes[0] ?? {}
      assert.deepEqual(
        { cause, initiator, expected, retryable, sent, messagesReceived },
        {
          cause: 'rate-limited',
          initiator: 'server',
          expected: false,
          retryable: false,
          sent: { code: 1008, reason: 'rate-limited' },
          messagesReceived: 6,
        },
      )
      assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
      const { closed, dropped } = app.websocketLifecycle.stats()
      assert.deepEqual([closed['rate-limited'], dropped], [1, 3])
    })
  }

  test('drops what waits, and what comes later, and counts both; what is being handled goes on', async (t) => {
    const release = gate()
    const timed = await connectTimed(t, (handled) => ({
      route: {
        onMessage: async (_socket, _request, message) => {
          handled.push(`begins ${String(message)}`)
          await release.opened
          handled.push(`ends ${String(message)}`)
        },
        onClose: () => void handled.push('onClose'),
      },
    }))
    const { app, peer, socket, handled } = timed
    peer.send(...texts(1, 5))
    const close = await within(peer.nextOf(OPCODE.close), 'a close frame')
    assert.equal(close?.payload.readUInt16BE(), 1008)
    // The first is being handled, two wait, two are over the rate, and two come after the end began.
    peer.send(...texts(6, 7), frame(OPCODE.close, close?.payload))
    await gone({ socket })
    release.open()
    await within(socket.closed, 'the end')
    assert.deepEqual(handled, ['begins 1', 'ends 1', 'onClose'])
    assert.equal(app.websocketLifecycle.stats().dropped, 6)
  })

  test('drops what waits for a listener that the handler has not attached yet', async (t) => {
    const release = gate()
    const timed = await connectTimed(t, (handled) => ({
      handler: async (socket) => {
        await release.opened
        socket.on('message', (data: Buffer) => handled.push(data.toString()))
      },
    }))
    timed.peer.send(...texts(1, 4))
    await within(timed.peer.nextOf(OPCODE.close), 'a close frame')
    release.open()
    timed.peer.destroy()
    await within(timed.socket.closed, 'the end')
    assert.deepEqual(timed.handled, [])
    assert.equal(timed.app.websocketLifecycle.stats().dropped, 4)
  })

  test('holds while our own close is under way, whose cause stays what it was', async (t) => {
    const { app, peer, socket, handled, closes } = await connectTimed(t)
    socket.close(4000, 'bye')
    peer.send(...texts(1, 5), RawPeer.closeFrame(4000))
    await within(socket.closed, 'the end')
    assert.deepEqual(handled, ['1', '2', '3'])
    assert.deepEqual([closes[0]?.cause, closes[0]?.sent?.code], ['server-close', 4000])
    assert.equal(app.websocketLifecycle.stats().dropped, 2)
  })

  test('lets pass as many as may come in each window, for as long as they come', async (t) => {
    const { clock, peer, socket, handled, app } = await connectTimed(t)
    for (let round = 0; round < 20; round++) {
      peer.send(...texts(round * 3 + 1, round * 3 + 3))
      await roundTrip(peer)
      await clock.advance(messageRate.window)
    }
    assert.equal(socket.readyState, socket.OPEN)
    assert.equal(handled.length, 60)
    assert.equal(app.websocketLifecycle.stats().dropped, 0)
  })

  test('begins a window with its first message: after a pause all of it is there', async (t) => {
    const { clock, peer, socket } = await connectTimed(t)
    await clock.advance(900)
    peer.send(...texts(1, 2))
    await roundTrip(peer)
    await clock.advance(900)
    peer.send(...texts(3, 3))
    await roundTrip(peer)
    assert.equal(socket.readyState, socket.OPEN)
    peer.send(...texts(4, 4))
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1008)
  })

  for (const [what, packets] of [
    [
      'empty ones',
      [frame(OPCODE.text), frame(OPCODE.text), frame(OPCODE.text), frame(OPCODE.text)],
    ],
    ['binary ones', texts(1, 4).map(() => frame(OPCODE.binary, 'b'))],
    ['compressed ones', texts(1, 4).map(() => RawPeer.deflated('small'))],
  ] as const) {
    test(`counts messages of every kind: ${what}`, async (t) => {
      const clock = new FakeClock()
      const { closes, peer, socket } = await connectOne(
        t,
        {
          clock,
          options: { keepalive: false, messageRate, websocket: { perMessageDeflate: true } },
        },
        DEFLATE,
      )
      peer.send(...packets.slice(1))
      await roundTrip(peer)
      assert.equal(socket.readyState, socket.OPEN)
      peer.send(...packets.slice(0, 1))
      await within(peer.nextOf(OPCODE.close), 'a close frame')
      peer.destroy()
      await within(socket.closed, 'the end')
      assert.equal(closes[0]?.cause, 'rate-limited')
    })
  }

  test('counts neither pings nor pongs, and a message in many fragments once', async (t) => {
    const { peer, socket, handled } = await connectTimed(t)
    for (let i = 0; i < 20; i++) peer.send(frame(OPCODE.ping), frame(OPCODE.pong))
    const parts = Array.from({ length: 20 }, () => frame(OPCODE.continuation, '.', false))
    peer.send(
      frame(OPCODE.text, 'many', false),
      ...parts,
      frame(OPCODE.continuation),
      ...texts(2, 3),
    )
    await roundTrip(peer)
    assert.deepEqual(handled, [`many${'.'.repeat(20)}`, '2', '3'])
    assert.equal(socket.readyState, socket.OPEN)
  })

  test('counts each connection for itself, without a timer', async (t) => {
    const clock = new FakeClock()
    const { app, port } = await serveOne(t, { clock, options: { keepalive: false, messageRate } })
    const peers = await Promise.all(Array.from({ length: 10 }, () => RawPeer.open(port)))
    for (const peer of peers) {
      peer.send(...texts(1, 3))
      await roundTrip(peer)
    }
    assert.deepEqual([app.websocketLifecycle.stats().open, clock.pending], [10, 1])
    const [first] = peers
    first?.send(...texts(4, 4))
    await within(first?.nextOf(OPCODE.close) ?? Promise.reject(), 'a close frame')
    first?.destroy()
    await until(() => app.websocketLifecycle.stats().open === 9)
    assert.equal(app.websocketLifecycle.stats().closed['rate-limited'], 1)
    for (const peer of peers) peer.destroy()
  })

  test("of a route replaces the plugin's, and false turns it off", async (t) => {
    const clock = new FakeClock()
    const handled = new Map<string, number>()
    const counts = (path: string) => (socket: LifecycleSocket) =>
      void socket.on('message', () => handled.set(path, (handled.get(path) ?? 0) + 1))
    const app = await serve(t, {
      clock,
      options: { keepalive: false, messageRate },
      routes: (app) => {
        app.get('/plugin', { websocket: true }, counts('/plugin'))
        app.get('/less', { websocket: true, messageRate: { max: 1, window: 9 } }, counts('/less'))
        app.get('/any', { websocket: true, messageRate: false }, counts('/any'))
      },
    })
    const paths = ['/plugin', '/less', '/any']
    const peers = await Promise.all(paths.map((path) => RawPeer.open(portOf(app), path)))
    for (const peer of peers) peer.send(...texts(1, 50))
    await roundTrip(peers[2] as RawPeer)
    await until(() => app.websocketLifecycle.stats().dropped === 47 + 49)
    assert.deepEqual(Object.fromEntries(handled), { '/plugin': 3, '/less': 1, '/any': 50 })
    for (const peer of peers) peer.destroy()
  })

  for (const [what, late] of [
    [
      'while the app had paused reading',
      async ({ clock, socket }: Timed, send: () => void) => {
        socket.pause()
        for (let round = 0; round < 5; round++) {
          send()
          await clock.advance(messageRate.window)
        }
        socket.resume()
      },
    ],
    [
      'while the inbox was full',
      async ({ clock, handled }: Timed, send: () => void, release: () => void) => {
        for (let round = 0; round < 5; round++) {
          send()
          await clock.advance(messageRate.window)
        }
        assert.deepEqual(handled, ['1'])
        release()
      },
    ],
    [
      'while our loop stood still',
      async ({ clock }: Timed, send: () => void) => {
        for (let round = 0; round < 5; round++) send()
        clock.stall(5 * messageRate.window)
        await clock.advance(0)
      },
    ],
    [
      'after our loop stood still for most of a window',
      async ({ clock }: Timed, send: () => void) => {
        for (let round = 0; round < 5; round++) {
          send()
          if (round % 2 === 0) clock.stall(0.9 * messageRate.window)
          await clock.advance(0)
          await clock.advance((round % 2 === 0 ? 0.2 : 1) * messageRate.window)
        }
      },
    ],
  ] as const) {
    test(`does not blame a peer that keeps to it ${what}`, async (t) => {
      const released = gate()
      const timed = await connectTimed(t, (handled) => ({
        route: {
          inbox: { maxMessages: 1 },
          onMessage: (_socket, _request, message) => {
            handled.push(String(message))
            return what === 'while the inbox was full' ? released.opened : undefined
          },
        },
      }))
      let sent = 0
      await late(timed, () => timed.peer.send(...texts(++sent, (sent += 2))), released.open)
      const { socket, handled } = timed
      await until(() => socket.readyState !== socket.OPEN || handled.length === 15)
      assert.equal(socket.readyState, socket.OPEN)
    })
  }

  test('does not excuse more than what could have come while reading was paused', async (t) => {
    const timed = await connectTimed(t)
    const { app, clock, peer, socket, handled } = timed
    socket.pause()
    peer.send(...texts(1, 40))
    await clock.advance(5 * messageRate.window)
    socket.resume()
    await leave(timed)
    assert.ok(handled.length <= 3 + 5 * 3, `${handled.length}`)
    assert.equal(app.websocketLifecycle.stats().dropped, 40 - handled.length)
  })
})
