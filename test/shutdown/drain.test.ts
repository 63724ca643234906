// How all connections end at shutdown, by drain() and by app.close().
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, {
  type DrainOptions,
  type DrainReport,
  type LifecycleOptions,
  type LifecycleSocket,
  type WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { Client, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve, type Setup } from '../support/servers/server.js'

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly url: string
  /** Those that the handler has seen, in their order. */
  readonly sockets: LifecycleSocket[]
}

/** An app with the route `/ws`, on a clock that only the test moves. */
async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
  route: LifecycleOptions = {},
  setup: Setup & { handler?: (socket: LifecycleSocket) => unknown } = {},
): Promise<Served> {
  const clock = new FakeClock()
  const sockets: LifecycleSocket[] = []
  const app = await serve(t, {
    clock,
    options: { keepalive: false, ...options },
    ...setup,
    routes: (app) => {
      setup.routes?.(app)
      app.get('/ws', { websocket: true, ...route }, (socket) => {
        sockets.push(socket)
        return setup.handler?.(socket)
      })
      app.get('/http', async () => 'http')
    },
  })
  const port = portOf(app)
  return { app, clock, port, url: `ws://127.0.0.1:${port}/ws`, sockets }
}

const openClient = async ({ url }: Served): Promise<Client> => Client.open(url)
const openPeer = async ({ port }: Served): Promise<RawPeer> => RawPeer.open(port, '/ws')

/** Whether a promise has settled by now. */
function watch(promise: Promise<unknown>): { settled: boolean } {
  const watched = { settled: false }
  const settle = (): void => {
    watched.settled = true
  }
  promise.then(settle, settle)
  return watched
}

async function drained(promise: Promise<DrainReport>): Promise<DrainReport> {
  return within(promise, 'the end of the drain')
}

describe('a drain', () => {
  test('says goodbye, the route before the plugin, then closes with 1012', async (t) => {
    const served = await start(
      t,
      { onShutdown: async (socket) => void socket.send('the plugin says goodbye') },
      { onShutdown: async (socket) => void socket.send('the route says goodbye') },
    )
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    const { code, reason } = await client.closed
    assert.deepEqual({ code, reason }, { code: 1012, reason: 'service restart' })
    assert.deepEqual(client.events, [
      'the route says goodbye',
      'the plugin says goodbye',
      'close 1012 service restart',
    ])
  })

  test('waits for an asynchronous goodbye', async (t) => {
    const fetched = gate()
    const served = await start(
      t,
      {},
      {
        async onShutdown(socket, request) {
          await fetched.opened
          socket.send(`goodbye ${request.url}, from ${typeof this.inject}`)
        },
      },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await client.roundTrip()
    assert.deepEqual(client.events, [])
    fetched.open()
    await drained(report)
    assert.equal(await client.next(), 'goodbye /ws, from function')
    assert.equal(await client.next(), 'close 1012 service restart')
  })

  test('closes with the code and reason that it is given', async (t) => {
    const served = await start(t, { drain: { code: 4001, reason: 'żegnaj' } })
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual(await client.closed, { code: 4001, reason: 'żegnaj' })
  })

  test('records the cause shutdown, whatever code is sent', async (t) => {
    const served = await start(t, { drain: { code: 4001 } })
    await openClient(served)
    const [socket] = served.sockets as [LifecycleSocket]
    await drained(served.app.websocketLifecycle.drain())
    const close = await socket.closed
    assert.equal(close.cause, 'shutdown')
    assert.equal(close.initiator, 'server')
    assert.equal(close.expected, true)
    assert.equal(close.clean, true)
    assert.deepEqual(close.sent, { code: 4001, reason: 'service restart' })
  })

  test('spreads the close frames over `spread`: each slice of it has one departure', async (t) => {
    const served = await start(t, { drain: { spread: 1_000 } })
    const clients = await Promise.all(Array.from({ length: 10 }, async () => openClient(served)))
    const gone = (): number => served.app.websocketLifecycle.stats().closed.shutdown
    const report = served.app.websocketLifecycle.drain()
    await turns()
    for (let slice = 1; slice <= 10; slice++) {
      await served.clock.advance(100)
      await turns(20)
      assert.equal(gone(), slice)
    }
    const { closed, duration } = await drained(report)
    assert.equal(closed, 10)
    assert.ok(duration > 900 && duration <= 1_000, String(duration))
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    assert.equal(served.clock.pending, 0)
  })

  test('goes on when somebody leaves before it is their turn', async (t) => {
    const served = await start(t, { drain: { spread: 1_000 } })
    const clients = await Promise.all(Array.from({ length: 4 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await turns()
    clients[3]?.ws.terminate()
    await within((served.sockets[3] as LifecycleSocket).closed, 'the end')
    await served.clock.advance(1_000)
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 4, terminated: 0 })
    assert.equal(served.app.websocketLifecycle.stats().closed['connection-lost'], 1)
    assert.equal(served.clock.pending, 0)
  })

  test('asks all at its begin, and closes only those that are there when their turn in the spread comes', async (t) => {
    const asked: LifecycleSocket[] = []
    const onShutdown = async (socket: LifecycleSocket): Promise<void> => void asked.push(socket)
    const served = await start(t, { drain: { spread: 1_000 } }, { onShutdown })
    const [first, second] = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain()
    await turns()
    assert.deepEqual(asked, served.sockets)
    second.ws.close(1000)
    await second.closed
    await served.clock.advance(1_000)
    assert.equal((await first.closed).code, 1012)
    assert.equal((await drained(report)).closed, 2)
    assert.equal(served.app.websocketLifecycle.stats().closed['client-close'], 1)
  })

  test('closes a crowd at once where nothing is to be spread', async (t) => {
    const served = await start(t)
    const clients = await Promise.all(Array.from({ length: 200 }, async () => openClient(served)))
    const { closed, terminated, duration } = await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual({ closed, terminated, duration }, { closed: 200, terminated: 0, duration: 0 })
    for (const client of clients) assert.equal((await client.closed).code, 1012)
  })

  test('without connections is over at once', async (t) => {
    const served = await start(t)
    assert.deepEqual(await drained(served.app.websocketLifecycle.drain()), {
      closed: 0,
      terminated: 0,
      abandoned: [],
      duration: 0,
    })
    assert.equal(served.clock.pending, 0)
  })

  test('is told by `draining`, from its begin and for good', async (t) => {
    const served = await start(t)
    const { websocketLifecycle } = served.app
    await openClient(served)
    assert.equal(websocketLifecycle.draining, false)
    const report = websocketLifecycle.drain()
    await turns(1)
    assert.equal(websocketLifecycle.draining, true)
    await drained(report)
    assert.equal(websocketLifecycle.draining, true)
  })

  test('emits each message that arrives before the close frame', async (t) => {
    const goodbye = gate()
    const messages: string[] = []
    const served = await start(
      t,
      {},
      { onShutdown: () => goodbye.opened },
      {
        handler: (socket) => {
          socket.on('message', (data: Buffer) => messages.push(data.toString()))
        },
      },
    )
    const client = await openClient(served)
    client.ws.send('before')
    await client.roundTrip()
    const report = served.app.websocketLifecycle.drain()
    for (let i = 0; i < 3; i++) client.ws.send('meanwhile')
    await client.roundTrip()
    goodbye.open()
    await drained(report)
    assert.deepEqual(messages, ['before', 'meanwhile', 'meanwhile', 'meanwhile'])
    assert.equal(served.app.websocketLifecycle.stats().dropped, 0)
    assert.equal((await (served.sockets[0] as LifecycleSocket).closed).messagesReceived, 4)
  })

  test('is reported: returned, and logged in one line', async (t) => {
    const { lines, fastify } = logLines()
    const served = await start(
      t,
      { closeTimeout: 300, cleanupTimeout: 200 },
      {
        onClose: async function hangs(socket) {
          if (socket === served.sockets[2]) await never
        },
      },
      { fastify },
    )
    await openClient(served)
    const frozen = await openPeer(served)
    frozen.freeze()
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    const told = await drained(report)
    assert.deepEqual(
      { ...told, duration: 0 },
      {
        closed: 2,
        terminated: 1,
        abandoned: [{ id: served.sockets[2]?.id, route: '/ws', step: 'onClose' }],
        duration: 0,
      },
    )
    assert.ok(told.duration >= 300 && told.duration < 400, String(told.duration))
    const logged = lines.filter(({ msg }) => msg === 'all WebSocket connections have ended')
    assert.equal(logged.length, 1)
    const [{ closed, terminated, abandoned, duration }] = logged as [Record<string, unknown>]
    // Each of them has a line of its own.
    const expected = { ...told, abandoned: told.abandoned.length }
    assert.deepEqual({ closed, terminated, abandoned, duration }, expected)
    assert.ok(Object.isFrozen(told))
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 1)
  })

  test('happens once: a second call returns the report of the first', async (t) => {
    const said: string[] = []
    const served = await start(t, {}, { onShutdown: () => said.push('goodbye') })
    const client = await openClient(served)
    const { websocketLifecycle } = served.app
    const [first, second] = await Promise.all([
      drained(websocketLifecycle.drain()),
      drained(websocketLifecycle.drain({ code: 4009 })),
    ])
    const third = await drained(websocketLifecycle.drain())
    assert.equal(first.closed, 1)
    assert.equal(second, first)
    assert.equal(third, first)
    assert.deepEqual(said, ['goodbye'])
    assert.equal((await client.closed).code, 1012)
    await served.app.close()
    assert.deepEqual(said, ['goodbye'])
  })

  test('does not end HTTP', async (t) => {
    const served = await start(t)
    await drained(served.app.websocketLifecycle.drain())
    const response = await fetch(`http://127.0.0.1:${served.port}/http`)
    assert.equal(await response.text(), 'http')
  })

  test('lays its options over those of the plugin', async (t) => {
    const served = await start(t, {
      drain: { code: 4001, reason: 'from the plugin', retryAfter: 3 },
    })
    const client = await openClient(served)
    const said = await drained(served.app.websocketLifecycle.drain({ code: 4002, retryAfter: 7 }))
    assert.equal(said.closed, 1)
    assert.deepEqual(await client.closed, { code: 4002, reason: 'from the plugin' })
    const { status, headers } = await refusal(served.url)
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '7')
  })

  for (const [options, message] of [
    [{ timeout: 0 }, /`drain\.timeout` to be a number of milliseconds.*got `0`/],
    [{ spread: 9_000 }, /`drain\.spread` to be at most `drain\.timeout` \(8000\), got `9000`/],
    [{ code: 1005 }, /`drain\.code` to be a close code that may be sent, got `1005`/],
    [{ reason: 'ż'.repeat(62) }, /`drain\.reason` to be a string of at most 123 bytes/],
    [{ retryAfter: 1.5 }, /`drain\.retryAfter` to be a whole number of seconds/],
    [{ timout: 5 }, /`drain\.timout` \(did you mean `drain\.timeout`\?\)/],
  ] as Array<[DrainOptions, RegExp]>) {
    test(`does not begin with invalid options: ${JSON.stringify(options).slice(0, 30)}`, async (t) => {
      const served = await start(t)
      const client = await openClient(served)
      await assert.rejects(async () => served.app.websocketLifecycle.drain(options), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message,
      })
      assert.equal(served.app.websocketLifecycle.draining, false)
      await client.roundTrip()
    })
  }

  test('waits for no release that was added too late for it, and no timer is left of that', async (t) => {
    const served = await start(t)
    await openClient(served)
    const [{ closed, scope }] = served.sockets as [LifecycleSocket]
    const report = served.app.websocketLifecycle.drain()
    void closed.then(() => scope.defer(() => never))
    await drained(report)
    scope.defer(() => never)
    await turns()
    assert.equal(served.clock.pending, 0)
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 0)
  })

  test('leaves no timer behind', async (t) => {
    const served = await start(t, { keepalive: {}, drain: { spread: 100 } })
    await Promise.all(Array.from({ length: 5 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(100)
    await drained(report)
    assert.equal(served.clock.pending, 0)
  })
})

describe('a drain and peers that do not play along', () => {
  test('a frozen peer costs closeTimeout', async (t) => {
    const served = await start(t, { closeTimeout: 700 })
    const peer = await openPeer(served)
    peer.freeze()
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(690)
    assert.equal(watched.settled, false)
    await served.clock.advance(100)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 0, terminated: 1 })
    assert.ok(duration >= 700 && duration <= 790, String(duration))
    const close = await (served.sockets[0] as LifecycleSocket).closed
    assert.equal(close.cause, 'shutdown')
    assert.equal(close.code, 1006)
    assert.equal(close.clean, false)
    assert.equal(close.sent?.code, 1012)
    assert.equal(served.clock.pending, 0)
  })

  test('a frozen peer costs app.close() no more than that, with the real clock', async (t) => {
    const app = await serve(t, {
      options: { closeTimeout: 100 },
      routes: (app) => app.get('/ws', { websocket: true }, () => {}),
    })
    const peer = await RawPeer.open(portOf(app), '/ws')
    peer.freeze()
    await within(app.close(), 'app.close()', 5_000)
    assert.equal(app.websocketLifecycle.stats().closed.shutdown, 1)
  })

  test('a peer that answers keeps no one waiting', async (t) => {
    const served = await start(t)
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    const frame = await peer.nextOf(OPCODE.close)
    assert.equal(frame?.payload.readUInt16BE(0), 1012)
    peer.send(RawPeer.closeFrame(1012))
    const { closed, duration } = await drained(report)
    assert.deepEqual({ closed, duration }, { closed: 1, duration: 0 })
    await within(peer.ended(), 'the end of the socket')
  })

  test('a peer that never stops talking costs closeTimeout, and nobody hears it', async (t) => {
    let heard = 0
    const served = await start(
      t,
      { closeTimeout: 500 },
      {},
      { handler: (socket) => socket.on('message', () => heard++) },
    )
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    for (let i = 0; i < 100 && !watched.settled; i++) {
      peer.send(RawPeer.frame(OPCODE.text, 'and another thing'))
      await served.clock.advance(10)
    }
    const { terminated, duration } = await drained(report)
    assert.equal(terminated, 1)
    assert.ok(duration >= 500 && duration <= 600, String(duration))
    assert.equal(heard, 0)
    assert.ok(served.app.websocketLifecycle.stats().dropped > 20)
  })

  test('a peer that leaves by itself in the middle is no one to wait for', async (t) => {
    const served = await start(t, {}, { onShutdown: () => never })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    await turns()
    peer.reset()
    const close = await within((served.sockets[0] as LifecycleSocket).closed, 'the end')
    assert.equal(close.cause, 'connection-reset')
    const { closed, terminated, abandoned } = await drained(report)
    assert.deepEqual({ closed, terminated, abandoned }, { closed: 1, terminated: 0, abandoned: [] })
    assert.equal(served.clock.pending, 0)
  })

  test('what a goodbye throws when its peer has left is told to the log', async (t) => {
    const { lines, fastify } = logLines()
    const door = gate()
    const onShutdown = async (): Promise<never> => {
      await door.opened
      throw new Error('nobody there')
    }
    const served = await start(t, {}, { onShutdown }, { fastify })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain()
    await turns()
    peer.reset()
    await drained(report)
    door.open()
    await turns()
    const told = lines.filter(({ step }) => step === 'onShutdown')
    assert.deepEqual(
      told.map(({ level, msg }) => [level, msg]),
      [[50, 'a callback of a WebSocket connection failed']],
    )
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 0)
  })

  test('a connection that is closing already is not closed again, and keeps its cause', async (t) => {
    const said: string[] = []
    const served = await start(t, { closeTimeout: 400 }, { onShutdown: () => said.push('goodbye') })
    const peer = await openPeer(served)
    const [socket] = served.sockets as [LifecycleSocket]
    socket.close(4000, 'first')
    await served.clock.advance(200)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(300)
    const { terminated, duration } = await drained(report)
    assert.equal(terminated, 1)
    assert.ok(duration >= 200 && duration <= 300, String(duration))
    const close = await socket.closed
    assert.equal(close.cause, 'server-close')
    assert.deepEqual(close.sent, { code: 4000, reason: 'first' })
    assert.deepEqual(said, [])
    const frames = [await peer.next(), await peer.next()]
    assert.deepEqual(
      frames.map((frame) => frame?.opcode),
      [OPCODE.close, undefined],
    )
  })

  test('a connection whose cleanup runs already is waited for', async (t) => {
    const cleaned = gate()
    const served = await start(t, {}, { onClose: () => cleaned.opened })
    const peer = await openPeer(served)
    const [socket] = served.sockets as [LifecycleSocket]
    peer.reset()
    await new Promise((resolve) => socket.once('close', resolve))
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await turns(20)
    assert.equal(watched.settled, false)
    cleaned.open()
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 1, terminated: 0 })
  })

  test('a connection of injectWS is drained too, and no clock has to move', async (t) => {
    const served = await start(t, {}, { onShutdown: (socket) => socket.send('goodbye') })
    const client = await served.app.injectWS('/ws')
    const events: string[] = []
    client.on('message', (data: Buffer) => events.push(data.toString()))
    const gone = new Promise((resolve) => client.once('close', resolve))
    const { closed, terminated, duration } = await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual({ closed, terminated, duration }, { closed: 1, terminated: 0, duration: 0 })
    assert.equal(await within(gone, "the client's close"), 1012)
    assert.deepEqual(events, ['goodbye'])
    assert.equal(served.clock.pending, 0)
  })
})

describe('a drain and callbacks that do not return', () => {
  test('a handler that never settles is not waited for', async (t) => {
    const served = await start(t, {}, {}, { handler: () => never })
    const client = await openClient(served)
    const { closed, abandoned } = await drained(served.app.websocketLifecycle.drain())
    assert.equal(closed, 1)
    assert.deepEqual(abandoned, [])
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye that hangs has cleanupTimeout, is left behind, and the close frame follows', async (t) => {
    const served = await start(t, { cleanupTimeout: 1_000 }, { onShutdown: () => never })
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(999)
    await client.roundTrip()
    assert.deepEqual(client.events, [])
    await served.clock.advance(1)
    const { closed, abandoned } = await drained(report)
    assert.equal(closed, 1)
    assert.deepEqual(
      abandoned.map(({ step }) => step),
      ['onShutdown'],
    )
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye that hangs keeps the other connections for the budget, and no longer', async (t) => {
    const served = await start(
      t,
      {},
      { onShutdown: (socket) => (socket === served.sockets[0] ? never : undefined) },
    )
    const [hanging, other] = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(4_499)
    assert.deepEqual([hanging.events, other.events], [[], []])
    await served.clock.advance(1)
    await drained(report)
    for (const { closed } of [hanging, other]) assert.equal((await closed).code, 1012)
  })

  test('goodbyes that take all their time leave less of it for the spread, and for the closes what they need', async (t) => {
    const served = await start(t, { drain: { spread: 4_000 } }, { onShutdown: () => never })
    const clients = await Promise.all(Array.from({ length: 10 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await turns()
    await served.clock.advance(4_500 + 1_750)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 10, terminated: 0 })
    assert.ok(duration > 6_000 && duration <= 6_250, String(duration))
    for (const client of clients) assert.equal((await client.closed).code, 1012)
  })

  test('the goodbyes of route and plugin share one budget', async (t) => {
    const calls: string[] = []
    const hang = (name: string) => (): unknown => {
      calls.push(name)
      return never
    }
    const served = await start(
      t,
      { cleanupTimeout: 1_000, onShutdown: hang('plugin') },
      { onShutdown: hang('route') },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    await drained(report)
    assert.deepEqual(calls, ['route', 'plugin'])
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye has no more time than drain.timeout leaves for the close', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 1_000, drain: { timeout: 3_000 } },
      { onShutdown: () => never },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_499)
    await client.roundTrip()
    assert.deepEqual(client.events, [])
    await served.clock.advance(1)
    await drained(report)
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye for which no time is left is said, and not awaited', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 1_000, drain: { timeout: 1_000 } },
      {
        onShutdown: (socket) => {
          socket.send('quick')
          return never
        },
      },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1)
    await drained(report)
    assert.deepEqual(client.events.slice(0, 2), ['quick', 'close 1012 service restart'])
  })

  test('a goodbye that closes for itself has the last word', async (t) => {
    const served = await start(t, {}, { onShutdown: (socket) => socket.close(4007, 'mine') })
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual(await client.closed, { code: 4007, reason: 'mine' })
    assert.equal(served.app.websocketLifecycle.stats().closed['server-close'], 1)
  })

  test('a goodbye that throws ends its own connection with 1011, and no other', async (t) => {
    const told: string[] = []
    const served = await start(
      t,
      { onHandlerError: (_socket, _request, error) => told.push(error.message) },
      {
        onShutdown: (socket) => {
          if (socket === served.sockets[0]) throw new Error('no words')
        },
      },
    )
    const [first, second] = [await openClient(served), await openClient(served)]
    const { closed } = await drained(served.app.websocketLifecycle.drain())
    assert.equal(closed, 2)
    assert.deepEqual(await first.closed, { code: 1011, reason: 'handler-error' })
    assert.equal((await second.closed).code, 1012)
    assert.deepEqual(told, ['no words'])
  })

  test('a cleanup that hangs is left behind after cleanupTimeout, by its name, and the next one runs', async (t) => {
    const ran: string[] = []
    const { lines, fastify } = logLines()
    const served = await start(
      t,
      { cleanupTimeout: 500 },
      {},
      {
        fastify,
        handler: (socket) => {
          socket.scope.defer(() => ran.push('last'))
          socket.scope.defer(function feed() {
            return never
          })
          socket.scope.defer(() => never)
        },
      },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await turns(20)
    await served.clock.advance(500)
    assert.deepEqual(ran, [])
    await served.clock.advance(500)
    const { closed, abandoned } = await drained(report)
    assert.equal(closed, 1)
    const { id } = served.sockets[0] as LifecycleSocket
    assert.deepEqual(abandoned, [
      { id, route: '/ws', step: 'release' },
      { id, route: '/ws', step: 'release feed' },
    ])
    assert.deepEqual(ran, ['last'])
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 2)
    const warnings = lines.filter(({ msg }) => /left behind/.test(String(msg)))
    assert.deepEqual(
      warnings.map(({ level, route, step }) => [level, route, step]),
      [
        [40, '/ws', 'release'],
        [40, '/ws', 'release feed'],
      ],
    )
  })

  test('a callback that waits for the drain itself costs a cleanupTimeout', async (t) => {
    const served = await start(
      t,
      { cleanupTimeout: 500 },
      { onClose: async () => served.app.websocketLifecycle.drain() },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await turns(20)
    await served.clock.advance(500)
    assert.equal((await drained(report)).abandoned.length, 1)
  })
})

const byName = (a: string, b: string): number => a.localeCompare(b)

describe('the deadline of a drain', () => {
  test('terminates every socket that is left', async (t) => {
    const served = await start(t, { closeTimeout: 60_000, drain: { timeout: 1_000 } })
    const peers = await Promise.all([openPeer(served), openPeer(served), openPeer(served)])
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(999)
    assert.equal(watched.settled, false)
    await served.clock.advance(1)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual(
      { closed, terminated, duration },
      { closed: 0, terminated: 3, duration: 1_000 },
    )
    for (const peer of peers) await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })

  test('holds for those too that were not asked to leave yet', async (t) => {
    const served = await start(
      t,
      { drain: { timeout: 1_000, spread: 1_000 } },
      { onShutdown: () => never },
    )
    await Promise.all(Array.from({ length: 8 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    await served.clock.advance(500)
    assert.ok((await drained(report)).duration <= 1_500)
    assert.equal(served.clock.pending, 0)
  })

  test('gives all steps that still run 500 ms more, which they share', async (t) => {
    const ran: string[] = []
    const served = await start(
      t,
      { cleanupTimeout: 60_000, drain: { timeout: 1_000 } },
      { onClose: () => never },
      {
        handler: (socket) => {
          socket.scope.defer(() => ran.push('synchronous'))
          socket.scope.defer(function second() {
            ran.push('second')
            return never
          })
          socket.scope.defer(function first() {
            ran.push('first')
            return never
          })
        },
      },
    )
    await Promise.all([openClient(served), openClient(served)])
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(1_499)
    assert.equal(watched.settled, false)
    assert.deepEqual(ran, [])
    await served.clock.advance(1)
    const { closed, abandoned, duration } = await drained(report)
    assert.equal(closed, 2)
    assert.equal(duration, 1_500)
    assert.deepEqual(abandoned.map(({ step }) => step).toSorted(byName), [
      'onClose',
      'onClose',
      'release first',
      'release first',
      'release second',
      'release second',
    ])
    assert.deepEqual(ran.toSorted(byName), [
      'first',
      'first',
      'second',
      'second',
      'synchronous',
      'synchronous',
    ])
    assert.equal(served.clock.pending, 0)
  })

  test('is shortened by app.close()', async (t) => {
    const served = await start(t, { closeTimeout: 100_000, drain: { timeout: 2_000 } })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 90_000 })
    const watched = watch(report)
    await served.clock.advance(10_000)
    const closing = served.app.close()
    await turns()
    await served.clock.advance(1_999)
    assert.equal(watched.settled, false)
    await served.clock.advance(1)
    assert.equal((await drained(report)).duration, 12_000)
    await within(closing, 'app.close()')
    await within(peer.ended(), 'the end of the socket')
  })

  test('is shortened in time for the closes: nobody waits for the spread or a goodbye any more', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500, drain: { timeout: 2_000 } },
      { onShutdown: async () => never },
    )
    const clients = [await openClient(served), await openClient(served), await openClient(served)]
    const { websocketLifecycle } = served.app
    const report = websocketLifecycle.drain({ timeout: 60_000, spread: 30_000 })
    await served.clock.advance(200)
    const closed = served.app.close()
    await served.clock.advance(1_100)
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    await served.clock.advance(2_000)
    await within(closed, 'app.close()')
    assert.deepEqual(
      { ...(await report), abandoned: [], duration: 0 },
      {
        closed: 3,
        terminated: 0,
        abandoned: [],
        duration: 0,
      },
    )
    assert.equal(served.clock.pending, 0)
  })

  test('is shortened in the middle of the spread: nobody waits for their turn any more', async (t) => {
    const served = await start(t, { closeTimeout: 500, drain: { timeout: 2_000 } })
    const clients = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain({ timeout: 60_000, spread: 30_000 })
    await served.clock.advance(15_000)
    assert.equal((await clients[0]?.closed)?.code, 1012)
    assert.deepEqual(clients[1]?.events, [])
    const closing = served.app.close()
    assert.equal((await clients[1]?.closed)?.code, 1012)
    const { closed, duration } = await drained(report)
    assert.deepEqual({ closed, duration }, { closed: 2, duration: 15_000 })
    await within(closing, 'app.close()')
    assert.equal(served.clock.pending, 0)
  })

  test('leaves behind at once, and names, the goodbyes for which there is no time any more', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500, drain: { timeout: 2_000 } },
      { onShutdown: async () => never },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 60_000 })
    await served.clock.advance(200)
    const closed = served.app.close()
    await served.clock.advance(1_000)
    assert.equal((await client.closed).code, 1012)
    await within(closed, 'app.close()')
    const [{ id }] = served.sockets as [LifecycleSocket]
    assert.deepEqual((await report).abandoned, [{ id, route: '/ws', step: 'onShutdown' }])
    assert.equal(served.clock.pending, 0)
  })

  test('leaves no timer where app.close() comes when a longer drain() is over', async (t) => {
    const served = await start(t)
    await openClient(served)
    await drained(served.app.websocketLifecycle.drain({ timeout: 60_000 }))
    assert.equal(served.clock.pending, 0)
    await within(served.app.close(), 'app.close()')
    assert.equal(served.clock.pending, 0)
  })

  test('is not lengthened by app.close()', async (t) => {
    const served = await start(t, { closeTimeout: 100_000, drain: { timeout: 5_000 } })
    await openPeer(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 1_000 })
    await served.clock.advance(500)
    const closing = served.app.close()
    await turns()
    await served.clock.advance(500)
    assert.equal((await drained(report)).duration, 1_000)
    await within(closing, 'app.close()')
  })

  test('that has passed is not set anew by app.close(): the steps keep what was left of their grace', async (t) => {
    const served = await start(
      t,
      { cleanupTimeout: 60_000, drain: { timeout: 1_000 } },
      { onClose: () => never },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_200)
    const closing = served.app.close()
    await turns()
    await served.clock.advance(300)
    assert.equal((await drained(report)).duration, 1_500)
    await within(closing, 'app.close()')
  })

  test('that a longer drain() has passed is not set anew by app.close() either', async (t) => {
    const served = await start(
      t,
      { cleanupTimeout: 60_000, drain: { timeout: 100 } },
      { onClose: () => never },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 1_000 })
    await served.clock.advance(1_200)
    const closing = served.app.close()
    await turns()
    await served.clock.advance(300)
    assert.equal((await drained(report)).duration, 1_500)
    await within(closing, 'app.close()')
  })
})

describe('an upgrade that is under way when the drain begins', () => {
  test('gets a 503, its releases are awaited, and its handler does not run', async (t) => {
    const hook = gate()
    const released = gate()
    const events: string[] = []
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(async () => {
              events.push('releasing')
              await released.opened
              events.push('released')
            })
            events.push('hook')
            await hook.opened
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    while (events.length === 0) await turns(1)
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_DRAINING')
    await within(peer.ended(), 'the end of the socket')
    await turns()
    assert.deepEqual(events, ['hook', 'releasing'])
    assert.equal(watched.settled, false)
    released.open()
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 0, terminated: 0 })
    hook.open()
    await turns(20)
    assert.deepEqual(events, ['hook', 'releasing', 'released'])
    assert.equal(served.sockets.length, 0)
    assert.equal(served.app.websocketLifecycle.stats().refused.draining, 1)
    assert.equal(served.app.websocketLifecycle.stats().opened, 0)
    assert.equal(served.clock.pending, 0)
  })

  test('gets a 503 also while a hook hangs that was added before the plugin', async (t) => {
    const events: string[] = []
    const served = await start(
      t,
      {},
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(() => events.push('released'))
            events.push('hook')
            await never
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    while (events.length === 0) await turns(1)
    await within(served.app.close(), 'app.close()')
    const { status, headers } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.deepEqual(events, ['hook', 'released'])
  })

  test('gets a 503 also while verifyClient hangs', async (t) => {
    const asked = gate()
    const served = await start(t, {
      websocket: { verifyClient: (_info, _done) => asked.open() },
    })
    const peer = await RawPeer.dial(served.port, '/ws')
    await asked.opened
    await within(served.app.close(), 'app.close()')
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.sockets.length, 0)
  })

  test('is left at the deadline, where its releases hang', async (t) => {
    const events: string[] = []
    const served = await start(
      t,
      { drain: { timeout: 1_000 } },
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(function lock() {
              return never
            })
            events.push('hook')
            await never
          })
        },
      },
    )
    await RawPeer.dial(served.port, '/ws')
    while (events.length === 0) await turns(1)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_500)
    const { abandoned, duration } = await drained(report)
    assert.equal(duration, 1_500)
    assert.deepEqual(
      abandoned.map(({ route, step }) => [route, step]),
      [['/ws', 'release lock']],
    )
  })

  test('is answered at once, past an onSend hook that hangs', async (t) => {
    const hook = gate()
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async () => {
            hook.open()
            await never
          })
          app.addHook('onSend', async () => never)
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await hook.opened
    const report = served.app.websocketLifecycle.drain()
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 .*DRAINING/s)
    assert.equal((await drained(report)).duration, 0)
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })
})

describe('app.close()', () => {
  test('drains: 1012 for everybody, and no connection is left', async (t) => {
    const served = await start(t)
    const clients = [await openClient(served), await openClient(served)]
    await within(served.app.close(), 'app.close()')
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    assert.equal(served.app.websocketLifecycle.connections.size, 0)
    assert.equal(served.app.websocketLifecycle.draining, true)
    assert.equal(served.app.server.listenerCount('upgrade'), 0)
    assert.equal(served.clock.pending, 0)
  })

  test('can be called twice, and before anything has begun', async (t) => {
    const served = await start(t)
    const client = await openClient(served)
    await within(Promise.all([served.app.close(), served.app.close()]), 'app.close()')
    assert.equal((await client.closed).code, 1012)
    const unready = Fastify()
    void unready.register(websocketLifecycle)
    await within(unready.close(), 'app.close()')
    assert.equal(unready.server.listenerCount('upgrade'), 0)
  })

  test('does not need forceCloseConnections, and does not mind it', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500 },
      {},
      { fastify: { forceCloseConnections: true } },
    )
    const client = await openClient(served)
    const peer = await openPeer(served)
    peer.freeze()
    const closing = served.app.close()
    assert.equal((await client.closed).code, 1012)
    await served.clock.advance(600)
    await within(closing, 'app.close()')
  })

  test('refuses an upgrade also when all connections have ended, as long as the server has sockets', async (t) => {
    const served = await start(t)
    const connected = once(served.app.server, 'connection')
    const peer = await RawPeer.dialWith(served.port)
    await connected
    const closing = served.app.close()
    while (served.app.server.listening) await turns(1)
    await served.app.websocketLifecycle.drain()
    peer.send(Buffer.from(RawPeer.handshake(served.port, '/ws')))
    const { status, headers } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    await within(peer.ended(), 'the end of the socket')
    await within(closing, 'app.close()')
    assert.equal(served.sockets.length, 0)
  })

  test('can be called by a listener of a connection', async (t) => {
    const closed = gate()
    const served = await start(
      t,
      {},
      {},
      {
        handler: (socket) =>
          socket.on('message', () => void served.app.close().then(() => closed.open())),
      },
    )
    const client = await openClient(served)
    client.ws.send('shut down')
    assert.equal((await client.closed).code, 1012)
    await within(closed.opened, 'app.close()')
  })

  test('calls onClose hooks of the app when all cleanups are over, wherever they were added', async (t) => {
    const clock = new FakeClock()
    const app = Fastify()
    endWith(t, app, clock)
    const cleaning = gate()
    const cleaned = gate()
    const events: string[] = []
    const note = (name: string) => async (): Promise<void> => void events.push(name)
    app.addHook('onClose', note('onClose of the root, added before the plugin'))
    void app.register(async (early) => {
      early.addHook('onClose', note('onClose of a child before'))
    })
    void app.register(createPlugin(clock))
    void app.register(async (child) => {
      child.addHook('onClose', note('onClose of a child after'))
      child.get(
        '/ws',
        {
          websocket: true,
          async onClose() {
            cleaning.open()
            await cleaned.opened
            events.push('the end of the connection')
          },
        },
        (socket) => socket.scope.defer(async () => void events.push('its release')),
      )
    })
    app.addHook('onClose', note('onClose of the root, added after the plugin'))
    app.after(() => app.addHook('onClose', note('onClose of the root, added in after()')))
    await app.listen({ host: '127.0.0.1', port: 0 })
    await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
    const closing = app.close()
    await cleaning.opened
    await turns(20)
    assert.deepEqual(events, [])
    cleaned.open()
    await within(closing, 'app.close()')
    assert.deepEqual(events.slice(0, 2), ['the end of the connection', 'its release'])
    assert.equal(events.length, 7)
  })

  test("calls the root's onClose hooks after the cleanups where the plugin is in a child", async (t) => {
    const app = Fastify()
    endWith(t, app)
    const events: string[] = []
    app.addHook('onClose', async () => void events.push('onClose'))
    void app.register(async (child) => {
      await child.register(websocketLifecycle)
      child.get('/ws', { websocket: true }, (socket) =>
        socket.scope.defer(async () => {
          await turns()
          events.push('release')
        }),
      )
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
    await within(app.close(), 'app.close()')
    assert.deepEqual(events, ['release', 'onClose'])
  })

  test('waits for cleanups of connections that had ended before', async (t) => {
    const cleaned = gate()
    const events: string[] = []
    const served = await start(
      t,
      {},
      {
        onClose: async () => {
          await cleaned.opened
          events.push('cleanup')
        },
      },
      { before: (app) => app.addHook('onClose', async () => void events.push('onClose')) },
    )
    const client = await openClient(served)
    client.ws.close()
    await client.closed
    const closing = served.app.close()
    await turns(20)
    assert.deepEqual(events, [])
    cleaned.open()
    await within(closing, 'app.close()')
    assert.deepEqual(events, ['cleanup', 'onClose'])
  })

  test('is in time where a cleanup hangs, with the real clock', async (t) => {
    const app = await serve(t, {
      options: { cleanupTimeout: 60_000, drain: { timeout: 100 } },
      routes: (app) => app.get('/ws', { websocket: true, onClose: () => never }, () => {}),
    })
    await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
    await within(app.close(), 'app.close()', 5_000)
    assert.equal(app.websocketLifecycle.stats().abandoned, 1)
  })

  for (const place of ['before', 'routes'] as const) {
    test(`ends our connections where a preClose hook of another plugin hangs (${place})`, async (t) => {
      const theirs = gate()
      const served = await start(
        t,
        { closeTimeout: 1_000 },
        {},
        {
          fastify: { pluginTimeout: 0 },
          [place]: (app: FastifyInstance) => app.addHook('preClose', async () => theirs.opened),
        },
      )
      const client = await openClient(served)
      const frozen = await openPeer(served)
      frozen.freeze()
      const closing = served.app.close()
      assert.equal((await within(client.closed, 'the close')).code, 1012)
      await served.clock.advance(1_100)
      await Promise.all(
        served.sockets.map(async (socket) => within(socket.closed, 'the end of a connection')),
      )
      assert.equal(served.app.websocketLifecycle.stats().open, 0)
      theirs.open()
      await within(closing, 'app.close()')
    })

    test(`ends our connections where a preClose hook of another plugin throws (${place})`, async (t) => {
      const clock = new FakeClock()
      const app = Fastify()
      const fail = (): void => {
        app.addHook('preClose', async () => {
          throw new Error('not today')
        })
      }
      if (place === 'before') fail()
      await app.register(createPlugin(clock), { closeTimeout: 1_000 })
      if (place === 'routes') fail()
      const sockets: LifecycleSocket[] = []
      app.get('/ws', { websocket: true }, (socket) => void sockets.push(socket))
      await app.listen({ host: '127.0.0.1', port: 0 })
      t.after(() => app.server.close())
      const client = await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
      const frozen = await RawPeer.open(portOf(app), '/ws')
      frozen.freeze()
      const closing = app.close().then(
        () => undefined,
        (error: unknown) => (error as Error).message,
      )
      assert.equal((await within(client.closed, 'the close')).code, 1012)
      await clock.advance(1_100)
      for (const socket of sockets) await within(socket.closed, 'the end of a connection')
      assert.equal(app.websocketLifecycle.stats().open, 0)
      await within(closing, 'app.close()')
      assert.equal(clock.pending, 0)
    })
  }

  test('ends our connections where a preClose hook of another plugin hangs in an app that never listened', async (t) => {
    const theirs = gate()
    const app = Fastify({ pluginTimeout: 0 })
    endWith(t, app)
    app.addHook('preClose', async () => theirs.opened)
    await app.register(websocketLifecycle)
    app.get('/ws', { websocket: true }, () => {})
    await app.ready()
    const client = await app.injectWS('/ws')
    const closed = once(client, 'close')
    const closing = app.close()
    const [code] = (await within(closed, 'the close')) as [number]
    assert.equal(code, 1012)
    theirs.open()
    await within(closing, 'app.close()')
  })

  test('ends our connections where an onClose hook that was added in onReady hangs', async (t) => {
    const theirs = gate()
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onReady', async () => {
            app.addHook('onClose', async () => theirs.opened)
          })
        },
      },
    )
    const client = await openClient(served)
    const closing = served.app.close()
    const first = await Promise.race([client.closed, turns(200).then(() => undefined)])
    theirs.open()
    assert.equal(first?.code, 1012)
    await within(closing, 'app.close()')
  })
})

describe("drain.timeout and Fastify's pluginTimeout", () => {
  const cases: Array<
    [drain: number | undefined, pluginTimeout: number | undefined, fits: boolean]
  > = [
    [undefined, undefined, true],
    [8_500, undefined, true],
    [8_501, undefined, false],
    [undefined, 9_499, false],
    [undefined, 9_500, true],
    [600_000, 0, true],
    [1_500, 3_000, true],
    [1_501, 3_000, false],
  ]
  for (const [timeout, pluginTimeout, fits] of cases) {
    const name = `drain.timeout ${timeout} and pluginTimeout ${pluginTimeout}`
    test(`${name} ${fits ? 'fit' : 'do not fit, which is said at the start'}`, async (t) => {
      const app = Fastify(pluginTimeout === undefined ? {} : { pluginTimeout })
      endWith(t, app)
      await app.register(websocketLifecycle, timeout === undefined ? {} : { drain: { timeout } })
      if (fits) {
        await app.ready()
        return
      }
      await assert.rejects(async () => app.ready(), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: new RegExp(
          `\`drain.timeout\` to be at most ${(pluginTimeout ?? 10_000) - 1_500}, .*got \`${timeout ?? 8_000}\``,
        ),
      })
    })
  }
})
