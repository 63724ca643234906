// When a place is taken and for how long: whoever comes meanwhile sees the limit as it is.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { leave, roomFor, turnedAway } from '../support/models/door.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { FAULTY, type RouteHooks, STAGES, WaitingRoom } from '../support/models/stages.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
}

async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions,
  hooks: RouteHooks = {},
  routes?: (app: FastifyInstance) => unknown,
  before?: (app: FastifyInstance) => unknown,
): Promise<Served> {
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    ...(before && { before }),
    options: { keepalive: false, ...options },
    routes: (app) => {
      app.get('/', { ...(hooks as object), websocket: true }, () => {})
      routes?.(app)
    },
  })
  return { app, clock, port: portOf(app) }
}

const WS = { websocket: true } as const

async function onRequest(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply.refuseWebsocket()
}

function noHandler(): never {
  throw new Error('Expected nobody to come as far as this')
}

/** The status of each peer's answer, sorted. */
async function statusesOf(peers: readonly RawPeer[]): Promise<number[]> {
  const answers = await Promise.all(peers.map(async (peer) => within(peer.answer(), 'an answer')))
  return answers.map((answer) => parseAnswer(answer).status).toSorted((a, b) => a - b)
}

describe('a place', () => {
  test('is taken before the hooks: who comes while they run is refused at once', async (t) => {
    const waiting = new WaitingRoom()
    const hooks = STAGES['preHandler']?.(waiting).route
    const { app, port } = await start(t, { maxConnections: 1, allowedOrigins: '*' }, hooks)
    const first = await RawPeer.dial(port, '/', FAULTY)
    await waiting.arrived()
    assert.equal((await turnedAway(app)).status, 503)
    waiting.open()
    assert.match(await first.answer(), /^HTTP\/1\.1 101 /)
    assert.equal((await turnedAway(app)).status, 503)
  })

  for (const [where, later] of [
    ['at once', (done: () => void): void => done()],
    ['after a while', (done: () => void): unknown => setImmediate(done)],
  ] as const) {
    const callTwice = ({ headers }: FastifyRequest, done: () => void): void => {
      done()
      if (headers['x-fault'] !== undefined) later(done)
    }
    const preHandler: RouteHooks['preHandler'] = (request, _reply, done) => {
      callTwice(request, done)
    }
    const options: WebsocketLifecycleOptions = {
      maxConnections: 3,
      maxConnectionsPerKey: { max: 2 },
      expiresAt: async () => undefined,
    }

    test(`is taken once, though a hook before the plugin calls back twice, ${where}`, async (t) => {
      const { app, port } = await start(t, options, {}, undefined, (app) => {
        app.addHook('onRequest', (request, _reply, done) => callTwice(request, done))
      })
      await RawPeer.open(port, '/', { 'x-fault': 'yes' })
      await turns()
      assert.equal(await roomFor(app, '/', {}, 429), 1)
      await RawPeer.open(port)
      assert.equal((await turnedAway(app)).status, 429)
    })

    test(`is taken once, though a hook of the route calls back twice, ${where}`, async (t) => {
      const { app, port } = await start(t, options, { preHandler })
      await RawPeer.open(port, '/', { 'x-fault': 'yes' })
      await turns()
      assert.equal(await roomFor(app, '/', {}, 429), 1)
    })
  }

  test('of a key is taken after them: of those who wait, the first to come out gets it', async (t) => {
    const doors = new Map<unknown, Gate>()
    const { port } = await start(
      t,
      { maxConnectionsPerKey: { max: 1 } },
      {
        preHandler: async ({ headers }: FastifyRequest) => {
          const door = gate()
          doors.set(headers['x-name'], door)
          await door.opened
        },
      },
    )
    const names = ['one', 'two', 'three']
    const peers = await Promise.all(
      names.map((name) => RawPeer.dial(port, '/', { 'x-name': name })),
    )
    await until(() => doors.size === 3)
    for (const [name, status] of [
      ['two', 101],
      ['three', 429],
      ['one', 429],
    ] as const) {
      doors.get(name)?.open()
      const peer = peers[names.indexOf(name)] as RawPeer
      assert.equal(parseAnswer(await peer.answer()).status, status)
    }
  })

  for (const [of, options, status] of [
    ['the server', { maxConnections: 4 }, 503],
    ['a key', { maxConnectionsPerKey: { max: 4 } }, 429],
  ] as const) {
    for (const [stage, arrange] of Object.entries(STAGES)) {
      // What is not before the plugin, and has a hook that a route takes.
      const { route, options: own } = arrange(new WaitingRoom())
      if (route === undefined && own === undefined) continue
      test(`of ${of} goes to as many as fit, if all leave ${stage} at once`, async (t) => {
        const waiting = new WaitingRoom()
        const { route, options: own } = arrange(waiting)
        const { app, port } = await start(t, { allowedOrigins: '*', ...options, ...own }, route)
        const peers = await Promise.all(
          Array.from({ length: 20 }, () => RawPeer.dial(port, '/', FAULTY)),
        )
        const { websocketLifecycle } = app
        const isSeen = (): boolean => {
          const { limit, key } = websocketLifecycle.stats().refused
          return waiting.count + limit + key === peers.length
        }
        await until(isSeen)
        waiting.open()
        assert.deepEqual(await statusesOf(peers), [
          ...Array.from({ length: 4 }, () => 101),
          ...Array.from({ length: 16 }, () => status),
        ])
        assert.equal(websocketLifecycle.stats().open, 4)
      })
    }
  }

  for (const [order, which] of [
    ['the first', [0, 1]],
    ['the last', [1, 0]],
  ] as const) {
    test(`is not taken while the origin is judged: it goes to ${order}, if that is welcome first`, async (t) => {
      const judging: Gate[] = []
      const allowedOrigins = async (): Promise<boolean> => {
        const door = gate()
        judging.push(door)
        await door.opened
        return true
      }
      const { app, port } = await start(t, { maxConnections: 1, allowedOrigins })
      const peers: RawPeer[] = []
      for (const i of [0, 1]) {
        peers.push(await RawPeer.dial(port, '/', { origin: 'https://app.example' }))
        await until(() => judging.length > i)
      }
      const [winner, loser] = which
      judging[winner]?.open()
      assert.match(await (peers[winner] as RawPeer).answer(), /^HTTP\/1\.1 101 /)
      judging[loser]?.open()
      assert.equal(parseAnswer(await (peers[loser] as RawPeer).answer()).status, 503)
      assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ limit: 1 }))
    })
  }

  test('is held until the transport is gone: a peer that does not answer our close frame keeps it', async (t) => {
    const { app, clock, port } = await start(t, { maxConnections: 1, closeTimeout: 500 })
    const peer = await RawPeer.open(port)
    for (const socket of app.websocketLifecycle.connections) socket.close(1000)
    await peer.nextOf(OPCODE.close)
    assert.equal((await turnedAway(app)).status, 503)
    await clock.advance(1_000)
    await within(peer.ended(), 'the end of the socket')
    assert.equal(await roomFor(app), 1)
  })

  for (const [of, options, status] of [
    ['the server', { maxConnections: 1 }, 503],
    ['a key', { maxConnectionsPerKey: { max: 1 } }, 429],
  ] as const) {
    test(`of ${of} is free when the transport is gone, though cleaning up still takes a while`, async (t) => {
      const [closing, slow] = [gate(), gate()]
      const onClose = async (): Promise<void> => {
        closing.open()
        await slow.opened
      }
      const { app, port } = await start(t, { ...options, onClose })
      const peer = await RawPeer.open(port)
      peer.reset()
      await closing.opened
      const next = await RawPeer.open(port)
      assert.equal((await turnedAway(app)).status, status)
      slow.open()
      await until(() => app.websocketLifecycle.connections.size === 1)
      assert.equal((await turnedAway(app)).status, status)
      await leave(app, next)
      assert.equal(await roomFor(app, '/', {}, status), 1)
    })

    test(`of ${of} is free again in the moment in which a connection is known to be gone`, async (t) => {
      const { app, port } = await start(t, options)
      let peer = await RawPeer.open(port)
      // Whoever comes back because its connection broke is not refused for its own sake.
      for (let i = 0; i < 5; i++) {
        const [socket] = app.websocketLifecycle.connections
        const gone = new Promise((resolve) => socket?.once('close', resolve))
        peer.reset()
        await gone
        peer = await RawPeer.open(port)
      }
    })
  }

  for (const [whom, arrange, code] of [
    ['closed by a hook', (app) => app.get('/late', { ...WS, onRequest }, noHandler), 3000],
    [
      "closed by the route's limit",
      (app) => app.get('/late', { ...WS, maxConnections: 0, refuse: 'close-frame' }, noHandler),
      1013,
    ],
    [
      'closed by the limit by key',
      (app) =>
        app.get(
          '/late',
          { ...WS, maxConnectionsPerKey: { max: 0 }, refuse: 'close-frame' },
          noHandler,
        ),
      4429,
    ],
    [
      'refused by key, and onSend hangs',
      (app) =>
        app.get(
          '/late',
          { ...WS, maxConnectionsPerKey: { max: 0 }, onSend: async () => never },
          noHandler,
        ),
      undefined,
    ],
  ] as ReadonlyArray<[string, (app: FastifyInstance) => unknown, number | undefined]>) {
    test(`of the server is free at once of those ${whom}, though they stay`, async (t) => {
      const { app, port } = await start(t, { maxConnections: 2 }, {}, arrange)
      await RawPeer.open(port)
      const { websocketLifecycle } = app
      for (let i = 1; i <= 3; i++) {
        const peer = await RawPeer.dial(port, '/late')
        await until(() => {
          const { limit, key, hook } = websocketLifecycle.stats().refused
          return limit + key + hook === i
        })
        if (code === undefined) continue
        await peer.answer()
        assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), code)
      }
      assert.equal(await roomFor(app), 1)
    })
  }

  test("is nobody's after a drain: who comes then is told of that, not of the limit", async (t) => {
    const waiting = new WaitingRoom()
    const hooks = STAGES['preHandler']?.(waiting).route
    const { app, port } = await start(t, { maxConnections: 2, allowedOrigins: '*' }, hooks)
    const peer = await RawPeer.open(port)
    const late = await RawPeer.dial(port, '/', FAULTY)
    await waiting.arrived()
    const draining = app.websocketLifecycle.drain()
    assert.match(await late.answer(), /^HTTP\/1\.1 503 .*FST_ERR_WSL_DRAINING/s)
    peer.send(RawPeer.closeFrame(1012))
    await within(draining, 'the drain')
    waiting.open()
    for (let i = 0; i < 3; i++) {
      assert.equal(JSON.parse((await turnedAway(app)).body).code, 'FST_ERR_WSL_DRAINING')
    }
    const { open, opened, refused: counts } = app.websocketLifecycle.stats()
    assert.deepEqual([open, opened, counts], [0, 1, refused({ draining: 4 })])
  })

  test('of everybody is free when a crowd has gone at once', async (t) => {
    const { app, port } = await start(t, { maxConnections: 30 })
    for (let round = 0; round < 3; round++) {
      const peers = await Promise.all(Array.from({ length: 30 }, () => RawPeer.open(port)))
      assert.equal((await turnedAway(app)).status, 503)
      await leave(app, ...peers)
    }
  })

  test('goes to as many as there is room for, in whatever order hooks settle and fail', async (t) => {
    const atOnce = { now: 0, most: 0 }
    let next = 0
    const preHandler = async ({ headers }: FastifyRequest): Promise<void> => {
      if (headers['x-fault'] === undefined) return
      atOnce.most = Math.max(atOnce.most, ++atOnce.now)
      const number = next++
      await turns((number * 7) % 11)
      atOnce.now--
      if (number % 3 === 2) throw new Error('not you')
    }
    const { app, port } = await start(t, { maxConnections: 5, allowedOrigins: '*' }, { preHandler })
    const statuses: number[] = []
    for (let round = 0; round < 10; round++) {
      const peers = await Promise.all(
        Array.from({ length: 12 }, () => RawPeer.dial(port, '/', FAULTY)),
      )
      statuses.push(...(await statusesOf(peers)))
      assert.ok(app.websocketLifecycle.stats().open <= 5)
      for (const peer of peers) peer.destroy()
      await until(() => app.websocketLifecycle.connections.size === 0)
    }
    assert.ok(atOnce.most <= 5, `Expected at most 5 in the hooks, had ${atOnce.most}`)
    const count = (status: number): number => statuses.filter((each) => each === status).length
    const { opened, refused: counts } = app.websocketLifecycle.stats()
    assert.deepEqual([count(101), count(503), count(500)], [opened, counts.limit, next - opened])
    assert.equal(await roomFor(app), 5)
  })
})
