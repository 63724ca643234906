// How long a connection may be silent, and how long it may live.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { CloseInfo, LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { hear } from '../support/servers/hear.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import {
  type Connected,
  connectOne,
  type OneRoute,
  portOf,
  serve,
  serveOne,
} from '../support/servers/server.js'
import { assertBetween, lasted } from '../support/time/timed.js'

const { frame } = RawPeer
const MESSAGE = frame(OPCODE.text, 'hello')

const idleTimeout = 1_000
/** A tenth of the shortest timeout. */
const TICK = 100
const LATEST = idleTimeout * 1.1 + 2 * TICK

interface Timed extends Connected {
  readonly clock: FakeClock
}

/** One connection without keepalive, so that it is shown that the limits do not need it. */
async function connectTimed(t: TestContext, setup: OneRoute): Promise<Timed> {
  const clock = new FakeClock()
  const options = { keepalive: false, ...setup.options } as const
  return { ...(await connectOne(t, { ...setup, clock, options })), clock }
}

/** Answers the close frame as a client would. */
async function leave(peer: RawPeer, socket: LifecycleSocket): Promise<CloseInfo> {
  const close = await within(peer.nextOf(OPCODE.close), 'a close frame')
  peer.send(frame(OPCODE.close, close?.payload))
  return within(socket.closed, 'the end')
}

describe('idleTimeout', () => {
  test('ends a silent connection with 3008, in time, within a tenth and two ticks', async (t) => {
    const connected = await connectTimed(t, { options: { idleTimeout } })
    const { clock, socket, peer, events } = connected
    assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
    const close = await leave(peer, socket)
    assert.deepEqual(
      [close.cause, close.initiator, close.expected, close.clean, close.sent],
      ['idle-timeout', 'server', true, true, { code: 3008, reason: 'idle-timeout' }],
    )
    assert.deepEqual(events, ['abort', 'close', 'release'])
    assert.equal(connected.app.websocketLifecycle.stats().closed['idle-timeout'], 1)
  })

  for (const [direction, talk] of [
    ['from the peer', ({ peer }: Timed) => peer.send(MESSAGE)],
    ['to the peer', ({ socket }: Timed) => socket.send('hello')],
  ] as const) {
    test(`counts messages ${direction}, and begins anew after the last`, async (t) => {
      const timed = await connectTimed(t, {
        options: { idleTimeout },
        handler: (socket) => socket.on('message', () => {}),
      })
      const { clock, socket } = timed
      for (let elapsed = 0; elapsed < 10_000; elapsed += 900) {
        talk(timed)
        await clock.advance(900)
      }
      assert.equal(socket.readyState, socket.OPEN)
      talk(timed)
      await delivered()
      assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
    })
  }

  for (const [what, talk] of [
    ["the peer's pings, and our pongs", ({ peer }: Timed) => peer.send(frame(OPCODE.ping, 'p'))],
    ["the peer's pongs", ({ peer }: Timed) => peer.send(frame(OPCODE.pong))],
    ["the app's pings", ({ socket }: Timed) => socket.ping()],
  ] as const) {
    test(`does not count ${what}`, async (t) => {
      const timed = await connectTimed(t, { options: { idleTimeout } })
      const { clock, socket } = timed
      for (let elapsed = 0; elapsed < 900; elapsed += 50) {
        talk(timed)
        await clock.advance(50)
      }
      assert.equal(socket.readyState, socket.OPEN)
      assertBetween(900 + (await lasted(clock, socket)), idleTimeout, LATEST)
    })
  }

  test('does not count keepalive: a peer that answers every ping is silent all the same', async (t) => {
    const { clock, peer, socket } = await connectTimed(t, {
      options: { idleTimeout, keepalive: { interval: 100, timeout: 400 } },
    })
    let pings = 0
    void (async () => {
      for (let ping = await peer.nextOf(OPCODE.ping); ping; ping = await peer.nextOf(OPCODE.ping)) {
        pings++
        peer.send(frame(OPCODE.pong, ping.payload))
      }
    })()
    assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
    assert.ok(pings > 5, `${pings}`)
  })

  const gates = {
    'a message that onMessage handles': (release: Promise<void>): OneRoute => ({
      route: { onMessage: () => release },
    }),
    'a message that waits in the inbox for the handler': (release: Promise<void>): OneRoute => ({
      handler: async (socket) => {
        await release
        socket.on('message', () => {})
      },
    }),
    'a message that a loop over messages() handles': (release: Promise<void>): OneRoute => ({
      handler: async (socket) => {
        for await (const _ of socket.messages()) await release
      },
    }),
    'reading that is paused': (release: Promise<void>): OneRoute => ({
      handler: (socket) => {
        socket.on('message', () => {})
        socket.pause()
        void release.then(() => socket.resume())
      },
    }),
    'reading that is paused because the inbox is full': (release: Promise<void>): OneRoute => ({
      route: { onMessage: () => release, inbox: { maxMessages: 1 } },
    }),
  }
  for (const [what, busyUntil] of Object.entries(gates)) {
    test(`counts ${what}, and begins when that is over`, async (t) => {
      const over = gate()
      const setup = busyUntil(over.opened)
      const { clock, peer, socket } = await connectTimed(t, { ...setup, options: { idleTimeout } })
      peer.send(MESSAGE, MESSAGE)
      await delivered()
      // Up to just before a look.
      await clock.advance(20_000 - 10)
      assert.equal(socket.readyState, socket.OPEN)
      over.open()
      await delivered()
      assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
    })
  }

  test('counts a pause of reading that is over before we look', async (t) => {
    const { clock, socket } = await connectTimed(t, { options: { idleTimeout } })
    await clock.advance(idleTimeout - TICK + 10)
    socket.pause()
    await clock.advance(TICK - 20)
    socket.resume()
    assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
  })

  test('does not count the time in which our loop stood still', async (t) => {
    const { clock, peer, socket } = await connectTimed(t, {
      options: { idleTimeout },
      handler: (socket) => socket.on('message', () => {}),
    })
    for (let round = 0; round < 5; round++) {
      clock.stall(60_000)
      await clock.advance(TICK)
      assert.equal(socket.readyState, socket.OPEN)
      peer.send(MESSAGE)
      await clock.advance(TICK)
    }
    assertBetween(await lasted(clock, socket), idleTimeout - TICK, LATEST)
  })

  test('hears first what had come while our loop stood still', async (t) => {
    const { clock, peer, socket } = await connectTimed(t, {
      options: { idleTimeout },
      handler: (socket) => socket.on('message', () => {}),
    })
    const heard = hear(t, 'verdict.averted')
    await clock.advance(idleTimeout - 10)
    // It is in the kernel, and the tick comes before the poll that brings it.
    peer.send(MESSAGE)
    clock.stall(60_000)
    await clock.advance(TICK)
    assert.equal(socket.readyState, socket.OPEN)
    const averted = { id: socket.id, route: '/', cause: 'idle-timeout' }
    assert.deepEqual(heard.of('verdict.averted'), [averted])
    assertBetween(TICK + (await lasted(clock, socket)), idleTimeout - TICK, LATEST)
  })

  test('hears it also where it takes time to decompress', async (t) => {
    const clock = new FakeClock()
    const { peer, socket } = await connectOne(
      t,
      {
        clock,
        options: { keepalive: false, idleTimeout, websocket: { perMessageDeflate: true } },
        handler: (socket) => socket.on('message', () => {}),
      },
      DEFLATE,
    )
    await clock.advance(idleTimeout - 10)
    peer.send(RawPeer.deflated('x'.repeat(500_000)))
    clock.stall(60_000)
    await clock.advance(TICK)
    assert.equal(socket.readyState, socket.OPEN)
  })

  test('needs no byte counts: it holds on a stream that is no socket, too', async (t) => {
    const clock = new FakeClock()
    const { app, nextSocket } = await serveOne(t, {
      clock,
      options: { keepalive: false, idleTimeout },
    })
    const client = await app.injectWS('/')
    const socket = await nextSocket()
    assertBetween(await lasted(clock, socket), idleTimeout, LATEST)
    client.terminate()
  })
})

describe('maxLifetime', () => {
  const maxLifetime = 10_000

  test('ends a connection with 1001, as expected, however busy it is', async (t) => {
    const { clock, peer, socket, events } = await connectTimed(t, {
      options: { maxLifetime },
      handler: (socket) => socket.on('message', (data) => socket.send(data)),
    })
    const openedAt = clock.now()
    while (socket.readyState === socket.OPEN && clock.now() - openedAt < 2 * maxLifetime) {
      peer.send(MESSAGE)
      await clock.advance(50)
    }
    assertBetween(clock.now() - openedAt, maxLifetime * 0.9, maxLifetime + 300 + 50)
    const close = await leave(peer, socket)
    assert.deepEqual(
      [close.cause, close.initiator, close.expected, close.retryable, close.sent],
      ['lifetime-expired', 'server', true, true, { code: 1001, reason: 'lifetime-expired' }],
    )
    assert.deepEqual(events, ['abort', 'close', 'release'])
  })

  test('is shortened by up to a tenth at random: who came together goes one by one', async (t) => {
    const clock = new FakeClock()
    const lifetime = 600_000
    const { app, port } = await serveOne(t, {
      clock,
      options: { keepalive: false, maxLifetime: lifetime },
    })
    const count = 60
    const peers = await Promise.all(Array.from({ length: count }, () => RawPeer.open(port)))
    const openedAt = clock.now()
    const ends: number[] = []
    for (const { closed } of app.websocketLifecycle.connections) {
      void closed.then(() => ends.push(clock.now() - openedAt))
    }
    for (const peer of peers) {
      void peer.nextOf(OPCODE.close).then((close) => peer.send(frame(OPCODE.close, close?.payload)))
    }
    await clock.advance(lifetime * 0.9 - 1)
    assert.equal(ends.length, 0)
    for (let elapsed = 0; elapsed < lifetime * 0.1 + 2_000; elapsed += 1_000)
      await clock.advance(1_000)
    assert.equal(ends.length, count)
    assertBetween(Math.min(...ends), lifetime * 0.9, lifetime * 0.95)
    assertBetween(Math.max(...ends), lifetime * 0.95, lifetime + 2_000)
    assert.ok(new Set(ends).size > 20, `${new Set(ends).size} of 60 ticks`)
    assert.equal(app.websocketLifecycle.stats().closed['lifetime-expired'], count)
  })

  test('counts from the 101: what the hooks took is not part of it', async (t) => {
    const clock = new FakeClock()
    const passed = gate()
    const { port, nextSocket } = await serveOne(t, {
      clock,
      options: { keepalive: false, maxLifetime },
      before: (app) => app.addHook('onRequest', () => passed.opened),
    })
    const opening = RawPeer.open(port)
    await delivered()
    await clock.advance(9_000)
    passed.open()
    await opening
    const socket = await nextSocket()
    assertBetween(await lasted(clock, socket), maxLifetime * 0.9, maxLifetime + 600)
  })
})

describe('the limits of time', () => {
  test('cost no timer for a connection: there is the one of the sweep', async (t) => {
    const clock = new FakeClock()
    const { app, port } = await serveOne(t, {
      clock,
      options: {
        keepalive: false,
        idleTimeout: 30_000,
        maxLifetime: 3_600_000,
        expiresAt: () => clock.wall() + 1_800_000,
        messageRate: { max: 10, window: 1_000 },
      },
      handler: (socket) => {
        socket.on('message', () => {})
        socket.expireAt(clock.wall() + 900_000)
      },
    })
    const peers = await Promise.all(Array.from({ length: 30 }, () => RawPeer.open(port)))
    assert.equal(clock.pending, 1)
    for (const peer of peers) peer.send(MESSAGE)
    await clock.advance(10_000)
    assert.equal(app.websocketLifecycle.stats().open, 30)
    assert.equal(clock.pending, 1)
    for (const peer of peers) peer.destroy()
    await delivered()
    assert.deepEqual([app.websocketLifecycle.stats().open, clock.pending], [0, 0])
  })

  test('are off unless they are asked for', async (t) => {
    const { clock, socket } = await connectTimed(t, {})
    await clock.advance(600_000)
    assert.equal(socket.readyState, socket.OPEN)
  })

  test("of a route replace the plugin's, one by one", async (t) => {
    const clock = new FakeClock()
    const sockets = new Map<string, LifecycleSocket>()
    const note = (path: string) => (socket: LifecycleSocket) => void sockets.set(path, socket)
    const app = await serve(t, {
      clock,
      options: { keepalive: false, idleTimeout: 5_000, maxLifetime: 60_000 },
      routes: (app) => {
        app.get('/plugin', { websocket: true }, note('/plugin'))
        app.get('/short', { websocket: true, idleTimeout: 1_000 }, note('/short'))
        app.get('/quiet', { websocket: true, idleTimeout: false }, note('/quiet'))
        app.get('/none', { websocket: true, idleTimeout: false, maxLifetime: false }, note('/none'))
      },
    })
    for (const path of ['/plugin', '/short', '/quiet', '/none']) {
      const peer = await RawPeer.open(portOf(app), path)
      void peer.nextOf(OPCODE.close).then((close) => peer.send(frame(OPCODE.close, close?.payload)))
    }
    await delivered()
    const causes: string[] = []
    for (const [path, socket] of sockets) {
      void socket.closed.then(({ cause }) => causes.push(`${path} ${cause}`))
    }
    await clock.advance(1_500)
    assert.deepEqual(causes, ['/short idle-timeout'])
    await clock.advance(5_000)
    assert.deepEqual(causes.slice(1), ['/plugin idle-timeout'])
    await clock.advance(300_000)
    assert.deepEqual(causes.slice(2), ['/quiet lifetime-expired'])
    assert.equal(sockets.get('/none')?.readyState, 1)
  })

  test('do not begin an end twice: what ends a connection first is its cause', async (t) => {
    const { clock, peer, socket, closes } = await connectTimed(t, {
      options: { idleTimeout, maxLifetime: idleTimeout, closeTimeout: 3_000 },
    })
    assertBetween(await lasted(clock, socket), 900, LATEST)
    await clock.advance(2_000)
    const first = await peer.nextOf(OPCODE.close)
    assert.equal(first?.payload.readUInt16BE(), 1001)
    await clock.advance(2_000)
    await peer.ended()
    assert.equal(await peer.next(), undefined)
    assert.deepEqual(
      closes.map(({ cause }) => cause),
      ['lifetime-expired'],
    )
  })
})
