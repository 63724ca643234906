// What the log says of refusals: each of them, but for floods. The counters know them all.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { RefusalReason } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { refused } from '../support/servers/refused.js'
import { FOREIGN } from '../support/servers/refusing.js'
import { portOf, serve } from '../support/servers/server.js'
import { assertClosedAtOnce, Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** Our lines about refusals so far. */
  readonly told: () => LogLine[]
}

const refuse = async (_request: unknown, reply: FastifyReply): Promise<FastifyReply> =>
  reply.refuseWebsocket(4001, 'sign in')

/** An app with two routes for each way to be refused. */
async function serveAll(t: TestContext): Promise<Served> {
  const { lines, fastify } = logLines()
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    fastify,
    options: { keepalive: false },
    before: (app) => {
      app.addHook('onRequest', async (request, reply) =>
        request.headers['x-early'] === 'yes' ? refuse(request, reply) : undefined,
      )
    },
    routes: (app) => {
      const onePerKey = { maxConnectionsPerKey: { max: 0, key: () => 'k' } }
      const slow = { handshakeTimeout: 100, preHandler: async () => never }
      for (const name of ['/a', '/b']) {
        app.get(`${name}/open/:id`, { websocket: true }, () => {})
        app.get(`${name}/limit/:id`, { websocket: true, maxConnections: 0 }, () => {})
        app.get(`${name}/key/:id`, { websocket: true, ...onePerKey }, () => {})
        app.get(`${name}/hook/:id`, { websocket: true, preHandler: refuse }, () => {})
        app.get(`${name}/slow/:id`, { websocket: true, ...slow }, () => {})
        app.get(`${name}/http/:id`, async () => 'http')
      }
    },
  })
  const told = (): LogLine[] =>
    lines.filter(({ ['msg']: msg }) => msg === 'WebSocket upgrade refused')
  return { app, clock, port: portOf(app), told }
}

interface Way {
  readonly reason: RefusalReason
  readonly path: string
  readonly headers?: Record<string, string>
  /** The route as the log names it, that of `/a`; none before it is known. */
  readonly route: string | undefined
  readonly why: RegExp
  readonly prepare?: (served: Served) => unknown
  /** Goes on until all were refused. */
  readonly after?: (served: Served) => Promise<void>
  /** Whether it is decided before the route is known. */
  readonly isBlind?: true
}

const WAYS: Readonly<Record<string, Way>> = {
  'for its origin': {
    reason: 'origin',
    path: '/open/1',
    headers: FOREIGN,
    route: '/a/open/:id',
    why: /evil\.example.*allowedOrigins/,
  },
  'for a limit': {
    reason: 'limit',
    path: '/limit/1',
    route: '/a/limit/:id',
    why: /`maxConnections` of route \/a\/limit\/:id/,
  },
  'for a limit by key': {
    reason: 'key',
    path: '/key/1',
    route: '/a/key/:id',
    why: /`maxConnectionsPerKey` of route \/a\/key\/:id/,
  },
  'by a hook': {
    reason: 'hook',
    path: '/hook/1',
    route: '/a/hook/:id',
    why: /4001 sign in/,
  },
  'by a hook before the plugin': {
    reason: 'hook',
    path: '/open/1',
    headers: { 'x-early': 'yes' },
    route: '/a/open/:id',
    why: /4001 sign in/,
  },
  'because it takes too long': {
    reason: 'handshake',
    path: '/slow/1',
    route: '/a/slow/:id',
    why: /handshakeTimeout of 100 ms/,
    after: async ({ clock }) => {
      await turns()
      await clock.advance(200)
    },
  },
  'of a route without WebSocket': {
    reason: 'route',
    path: '/http/1',
    route: '/a/http/:id',
    why: /GET \/a\/http\/:id takes no WebSocket connections/,
  },
  'of a path that is no route': {
    reason: 'route',
    path: '/nowhere/1',
    route: '/a/nowhere/1',
    why: /no such route/,
    isBlind: true,
  },
  'while draining': {
    reason: 'draining',
    path: '/open/1',
    route: undefined,
    why: /shutting down/,
    prepare: async ({ app }) => app.websocketLifecycle.drain(),
    isBlind: true,
  },
}

function countOf({ app }: Served): number {
  const counts = Object.values(app.websocketLifecycle.stats().refused)
  return counts.reduce((total, count) => total + count, 0)
}

/** Sends so many upgrades; resolves when all of them were refused. */
async function knock(
  served: Served,
  count: number,
  pathOf: (i: number) => string,
  { headers, after }: Pick<Way, 'headers' | 'after'> = {},
): Promise<void> {
  const expected = countOf(served) + count
  const strangers = await Promise.all(
    Array.from({ length: count }, async (_, i) => Stranger.dial(served.port, pathOf(i), headers)),
  )
  for (let i = 0; i < 500 && countOf(served) < expected; i++) await (after?.(served) ?? turns())
  await until(() => countOf(served) === expected)
  for (const { peer } of strangers) peer.destroy()
}

describe('an upgrade that is refused', () => {
  for (const [title, way] of Object.entries(WAYS)) {
    test(`${title} is logged once, with reason and route, and without its query`, async (t) => {
      const served = await serveAll(t)
      await way.prepare?.(served)
      await knock(served, 1, () => `/a${way.path}?token=secret`, way)
      await served.clock.advance(60_000)
      await served.app.close()
      const [line, ...more] = served.told()
      assert.deepEqual(more, [])
      assert.equal(line?.['level'], 30)
      assert.equal(line?.['reason'], way.reason)
      assert.equal(line?.['route'], way.route)
      assert.match(String(line?.['why']), way.why)
      assert.equal(line?.['unlogged'], undefined)
      assert.equal('reqId' in (line ?? {}), way.reason !== 'draining')
      assert.doesNotMatch(JSON.stringify(line), /secret/)
    })

    test(`${title}, one of a flood, is counted, and told of by the next line`, async (t) => {
      const served = await serveAll(t)
      await way.prepare?.(served)
      await knock(served, 100, () => `/a${way.path}`, way)
      assert.equal(served.told().length, 10)
      await knock(served, 1, () => `/a${way.path}`, way)
      assert.equal(served.told().length, 10)
      await served.clock.advance(10_000)
      assert.equal(served.told().length, 10)
      await knock(served, 20, () => `/a${way.path}`, way)
      const lines = served.told()
      assert.deepEqual(
        lines.map(({ ['unlogged']: unlogged }) => unlogged),
        [...Array<undefined>(10), 91, ...Array<undefined>(9)],
      )
      assert.deepEqual(
        served.app.websocketLifecycle.stats().refused,
        refused({ [way.reason]: 121 }),
      )
    })

    if (way.isBlind) continue
    test(`${title} is logged though another route is flooded`, async (t) => {
      const served = await serveAll(t)
      await knock(served, 30, (i) => `/a${way.path}${i}`, way)
      assert.equal(served.told().length, 10)
      await knock(served, 1, () => `/b${way.path}`, way)
      assert.equal(served.told().length, 11)
      assert.equal(served.told().at(-1)?.['route'], way.route?.replace('/a', '/b'))
    })

    test(`${title} is logged though paths that are no routes are flooded`, async (t) => {
      const served = await serveAll(t)
      await knock(served, 30, (i) => `/nowhere/${i}`)
      assert.equal(served.told().length, 10)
      await knock(served, 1, () => `/a${way.path}`, way)
      assert.equal(served.told().length, 11)
      assert.equal(served.told().at(-1)?.['reason'], way.reason)
    })
  }

  test('for one reason is logged though there is a flood for another on the same route', async (t) => {
    const served = await serveAll(t)
    await knock(served, 30, () => '/a/limit/1')
    await knock(served, 30, () => '/a/limit/1', { headers: FOREIGN })
    await knock(served, 30, () => '/a/limit/1', { headers: { 'x-early': 'yes' } })
    const reasons = served.told().map(({ ['reason']: reason }) => reason)
    const expected = ['limit', 'origin', 'hook'].flatMap((reason) => Array(10).fill(reason))
    assert.deepEqual(reasons, expected)
  })
})

describe('a flood of five hundred', () => {
  test('for their origin, each another one, is ten lines', async (t) => {
    const served = await serveAll(t)
    for (let i = 0; i < 500; i++) {
      const headers = { origin: `https://${i}.evil.example` }
      await knock(served, 1, () => `/a/open/${i}`, { headers })
    }
    assert.equal(served.told().length, 10)
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ origin: 500 }))
  })

  test('of paths that are no routes, each another one, is ten lines in ten seconds', async (t) => {
    const served = await serveAll(t)
    for (let round = 1; round <= 3; round++) {
      await knock(served, 500, (i) => `/nowhere/${round}/${i}?${i}`)
      assert.equal(served.told().length, round * 10)
      assert.equal(served.told()[(round - 1) * 10]?.['unlogged'], round === 1 ? undefined : 490)
      await served.clock.advance(10_000)
    }
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ route: 1_500 }))
  })

  test('of which each comes a second after the other, is every one of them a line', async (t) => {
    const served = await serveAll(t)
    for (let i = 0; i < 50; i++) {
      await knock(served, 1, () => '/a/limit/1')
      await served.clock.advance(1_001)
    }
    assert.equal(served.told().length, 50)
  })
})

describe('a line about a refusal', () => {
  test('quotes no more of a header than it has room for', async (t) => {
    const served = await serveAll(t)
    const origin = `https://${'x'.repeat(8_000)}.example`
    await knock(served, 1, () => '/a/open/1', { headers: { origin } })
    assert.ok(String(served.told()[0]?.['why']).length < 1_000)
  })

  test('keeps nobody from being refused, if the logger fails', async (t) => {
    const failed: string[] = []
    const logMethod = (args: unknown[]): void => {
      const text = String(args[1])
      if (!text.includes('refused')) return
      failed.push(text)
      throw new Error('The disk is full')
    }
    const app = await serve(t, {
      fastify: { logger: { level: 'info', hooks: { logMethod } } },
      options: { refuse: 'close-frame' },
      routes: (app) => {
        app.get('/limit', { websocket: true, maxConnections: 0 }, () => {})
        app.get('/hook', { websocket: true, preHandler: refuse }, () => {})
      },
    })
    await assertClosedAtOnce(await Stranger.dial(portOf(app), '/limit'), 1013)
    await assertClosedAtOnce(await Stranger.dial(portOf(app), '/hook'), 4001, 'sign in')
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ limit: 1, hook: 1 }))
    assert.equal(failed.length, 2)
  })
})
