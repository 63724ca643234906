// What a drain does about messages that are being handled, wait, or arrive.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne, portOf } from '../support/servers/server.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'

const { closeFrame } = RawPeer

interface Drained extends Connected {
  readonly clock: FakeClock
  readonly stuck: Gate
  readonly handled: string[]
}

/** A connection whose onMessage answers when the gate opens, with `budget` ms for its goodbye. */
async function connectDraining(
  t: TestContext,
  budget: number,
  route: RouteLifecycleOptions = {},
): Promise<Drained> {
  const stuck = gate()
  const handled: string[] = []
  const clock = new FakeClock()
  const connected = await connectOne(t, {
    clock,
    options: {
      drain: { timeout: budget + 1_000 + 500 },
      closeTimeout: 1_000,
      cleanupTimeout: 30_000,
      keepalive: false,
    },
    route: {
      onMessage: async (socket, _request, message) => {
        await stuck.opened
        handled.push(String(message))
        socket.send(message)
      },
      ...route,
    },
  })
  return { ...connected, clock, stuck, handled }
}

/** Collects what comes, with the close frame as `close <code>`. */
function listen(peer: RawPeer): string[] {
  const got: string[] = []
  void (async () => {
    for (let each = await peer.next(); each !== undefined; each = await peer.next()) {
      const { opcode, payload } = each
      if (opcode === OPCODE.text) got.push(payload.toString())
      if (opcode !== OPCODE.close) continue
      got.push(`close ${payload.readUInt16BE()}`)
      peer.send(closeFrame(payload.readUInt16BE()))
    }
  })()
  return got
}

test('a drain finishes the messages that have come before its close frame', async (t) => {
  const { app, peer, clock, stuck, handled } = await connectDraining(t, 5_000)
  peer.send(...texts('1', '2', '3'))
  await roundTrip(peer)
  const got = listen(peer)
  const report = app.websocketLifecycle.drain()
  peer.send(...texts('new'))
  await clock.advance(4_900)
  assert.deepEqual(got, [])
  stuck.open()
  const { closed, terminated, abandoned } = await within(report, 'the end of the drain')
  assert.deepEqual({ closed, terminated, abandoned }, { closed: 1, terminated: 0, abandoned: [] })
  assert.deepEqual(handled, ['1', '2', '3', 'new'])
  assert.deepEqual(got, ['1', '2', '3', 'new', 'close 1012'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('what comes after the close frame of a drain is dropped, counted, and heard by nobody', async (t) => {
  const heard: unknown[] = []
  const { app, peer } = await connectOne(t, {
    clock: new FakeClock(),
    route: { onMessage: (_socket, _request, message) => heard.push('onMessage', message) },
    handler: (socket) => {
      socket.on('message', (data: Buffer) => heard.push(`listener ${data.toString()}`))
    },
  })
  const report = app.websocketLifecycle.drain()
  await within(peer.nextOf(OPCODE.close), 'the close frame')
  peer.send(...texts('late', 'later'), closeFrame(1012))
  await within(report, 'the end of the drain')
  assert.deepEqual(heard, [])
  assert.equal(app.websocketLifecycle.stats().dropped, 2)
})

test('until its turn comes a connection is served as always', async (t) => {
  const clock = new FakeClock()
  const { app, peer } = await connectOne(t, {
    clock,
    options: { drain: { spread: 1_000 }, keepalive: false },
    handler: (socket) => {
      socket.on('message', (data: Buffer) => socket.send(`heard ${data.toString()}`))
    },
  })
  // The second one has its turn in the second half of the spread.
  const second = await RawPeer.open(portOf(app))
  const got = listen(second)
  listen(peer)
  const report = app.websocketLifecycle.drain()
  await clock.advance(400)
  second.send(...texts('still here'))
  await delivered()
  assert.deepEqual(got, ['heard still here'])
  await clock.advance(600)
  await within(report, 'the end of the drain')
  assert.deepEqual(got, ['heard still here', 'close 1012'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('a client that never stops talking keeps nobody: only what came before is waited for', async (t) => {
  const begun = gate()
  const { app, peer, clock } = await connectDraining(t, 5_000, {
    onMessage: async (socket, _request, message) => {
      begun.open()
      await turns(3)
      if (socket.readyState === socket.OPEN) peer.send(...texts('and another thing'))
      socket.send(message)
    },
  })
  const got = listen(peer)
  peer.send(...texts('1', '2'))
  await begun.opened
  const { duration, closed } = await within(app.websocketLifecycle.drain(), 'the end of the drain')
  assert.deepEqual({ duration, closed }, { duration: 0, closed: 1 })
  assert.deepEqual(got.slice(0, 2), ['1', '2'])
  assert.equal(got.at(-1), 'close 1012')
  assert.equal(clock.pending, 0)
})

test('a message handled beside others is waited for, also when later ones overtake it', async (t) => {
  const doors = [gate(), gate(), gate()]
  const { app, peer } = await connectDraining(t, 5_000, {
    inbox: { concurrency: 3 },
    onMessage: async (socket, _request, message) => {
      await doors[Number(message)]?.opened
      socket.send(message)
    },
  })
  const got = listen(peer)
  peer.send(...texts('0', '1'))
  await delivered()
  const report = app.websocketLifecycle.drain()
  await delivered()
  peer.send(...texts('2'))
  await delivered()
  doors[2]?.open()
  await delivered()
  doors[1]?.open()
  await delivered()
  assert.deepEqual(got, ['2', '1'])
  doors[0]?.open()
  await within(report, 'the end of the drain')
  assert.deepEqual(got, ['2', '1', '0', 'close 1012'])
})

test('a loop that holds several messages is waited for until it has asked for more than those', async (t) => {
  const stuck = gate()
  const { app, peer } = await connectOne(t, {
    clock: new FakeClock(),
    handler: async (socket) => {
      const loop = socket.messages()
      const both = await Promise.all([loop.next(), loop.next()])
      await stuck.opened
      for (const { value } of both) socket.send(String(value))
      await Promise.all([loop.next(), loop.next()])
    },
  })
  const got = listen(peer)
  peer.send(...texts('1', '2'))
  await delivered()
  const report = app.websocketLifecycle.drain()
  await delivered()
  assert.deepEqual(got, [])
  stuck.open()
  await within(report, 'the end of the drain')
  assert.deepEqual(got, ['1', '2', 'close 1012'])
})

test('what is still being inflated is handled and answered before the close frame', async (t) => {
  const pool = threadPool(t)
  const handled: unknown[] = []
  const { app, peer, socket } = await connectOne(
    t,
    {
      clock: new FakeClock(),
      options: { websocket: { perMessageDeflate: true }, keepalive: false },
      route: {
        onMessage: (own, _request, message) => {
          handled.push([message, own.readyState])
        },
      },
    },
    DEFLATE,
  )
  pool.hold()
  const raw = rawOf(socket)
  const before = raw.bytesRead
  peer.send(...['1', '2'].map((text) => RawPeer.deflated(text)))
  await until(() => raw.bytesRead > before)
  await delivered()
  const got = listen(peer)
  const report = app.websocketLifecycle.drain()
  await delivered()
  assert.deepEqual(got, [])
  await pool.release()
  await within(report, 'the end of the drain')
  assert.deepEqual(handled, [
    ['1', socket.OPEN],
    ['2', socket.OPEN],
  ])
  assert.deepEqual(got, ['close 1012'])
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('a drain without anything to finish closes at once', async (t) => {
  const { app, peer, clock } = await connectDraining(t, 5_000)
  const got = listen(peer)
  const { duration } = await within(app.websocketLifecycle.drain(), 'the end of the drain')
  assert.equal(duration, 0)
  assert.deepEqual(got, ['close 1012'])
  assert.equal(clock.pending, 0)
})

test('a drain closes at the end of the budget what has not finished by then', async (t) => {
  const { app, peer, clock, stuck } = await connectDraining(t, 5_000)
  peer.send(...texts('1'))
  await roundTrip(peer)
  const got = listen(peer)
  const report = app.websocketLifecycle.drain()
  await clock.advance(4_999)
  assert.deepEqual(got, [])
  await clock.advance(1)
  assert.deepEqual(got, ['close 1012'])
  stuck.open()
  const { abandoned } = await within(report, 'the end of the drain')
  assert.deepEqual(abandoned, [])
})

test('onShutdown and the messages share one budget', async (t) => {
  const goodbye = gate()
  const { app, peer, clock, stuck } = await connectDraining(t, 5_000, {
    onShutdown: async (socket) => {
      await goodbye.opened
      socket.send('goodbye')
    },
  })
  peer.send(...texts('1'))
  await roundTrip(peer)
  const got = listen(peer)
  const report = app.websocketLifecycle.drain()
  await clock.advance(3_000)
  goodbye.open()
  await delivered()
  assert.deepEqual(got, ['goodbye'])
  await clock.advance(1_999)
  assert.deepEqual(got, ['goodbye'])
  await clock.advance(1)
  assert.deepEqual(got, ['goodbye', 'close 1012'])
  stuck.open()
  await within(report, 'the end of the drain')
})

test('a drain waits for a loop to handle what it has, and not for the loop to end', async (t) => {
  const stuck = gate()
  const connected = await connectOne(t, {
    clock: new FakeClock(),
    handler: async (socket) => {
      for await (const message of socket.messages()) {
        await stuck.opened
        socket.send(message)
      }
    },
  })
  const { app, peer } = connected
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  const got = listen(peer)
  const report = app.websocketLifecycle.drain()
  await delivered()
  assert.deepEqual(got, [])
  stuck.open()
  await within(report, 'the end of the drain')
  assert.deepEqual(got, ['1', '2', 'close 1012'])
})

test('what still hangs when a drain is over is left behind, and named in its report', async (t) => {
  const { app, peer, clock, socket } = await connectDraining(t, 1_000)
  peer.send(...texts('1', '2'))
  await roundTrip(peer)
  listen(peer)
  const report = app.websocketLifecycle.drain()
  await clock.advance(1_000 + 1_000 + 500 + 500)
  const { abandoned } = await within(report, 'the end of the drain')
  assert.deepEqual(abandoned, [{ id: socket.id, route: '/', step: 'messages' }])
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})

test('an onMessage that begins the drain goes on to its end, and what it sends comes first', async (t) => {
  const reports: Promise<unknown>[] = []
  const { peer, app } = await connectDraining(t, 5_000, {
    onMessage: async (socket) => {
      reports.push(app.websocketLifecycle.drain())
      socket.send('at once')
      await turns(1)
      socket.send('after a turn')
    },
  })
  const got = listen(peer)
  peer.send(...texts('go'))
  await until(() => reports.length > 0)
  await within(Promise.all(reports), 'the end of the drain')
  assert.deepEqual(got, ['at once', 'after a turn', 'close 1012'])
})

test('so does a listener that begins it', async (t) => {
  const reports: Promise<unknown>[] = []
  const { peer, app } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => {
        reports.push(app.websocketLifecycle.drain())
        socket.send('at once')
      })
    },
  })
  const got = listen(peer)
  peer.send(...texts('go'))
  await until(() => reports.length > 0)
  await within(Promise.all(reports), 'the end of the drain')
  assert.deepEqual(got, ['at once', 'close 1012'])
})
