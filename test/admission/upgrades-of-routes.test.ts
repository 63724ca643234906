// Which upgrades are ours, where others listen on the same server: those that a route of ours will get.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { THEIRS, addNeighbour, addRoute, statusOf } from '../support/servers/neighbour.js'

/** A custom constraint: the header `x-of` has to have the value. */
const strategy = {
  name: 'of',
  storage: () => {
    const handlers = new Map<unknown, never>()
    return {
      get: (key: unknown) => handlers.get(key) ?? null,
      set: (key: unknown, handler: never) => void handlers.set(key, handler),
    }
  },
  validate: () => {},
  deriveConstraint: (request: { headers: NodeJS.Dict<string | string[]> }) =>
    String(request.headers['x-of']),
}

/** The same, by a callback. */
const asyncStrategy = {
  ...strategy,
  deriveConstraint: (
    request: { headers: NodeJS.Dict<string | string[]> },
    _context: unknown,
    done: (error: null, value: string) => void,
  ) => setImmediate(() => done(null, String(request.headers['x-of']))),
}

/** Where every version of Fastify 5 takes these. */
function router(options: object): FastifyServerOptions {
  return options
}

interface Routing {
  readonly title: string
  readonly fastify?: FastifyServerOptions
  readonly before?: (app: FastifyInstance) => unknown
  readonly routes: (app: FastifyInstance) => void
  readonly ours: ReadonlyArray<readonly [path: string, headers?: Record<string, string>]>
  readonly theirs: ReadonlyArray<
    readonly [path: string, headers?: Record<string, string>, method?: string]
  >
}

const constrained = (app: FastifyInstance): void => {
  app.get('/ws', { websocket: true, constraints: { of: 'ours' } }, () => {})
  app.get('/ws', { constraints: { of: 'plain' } }, async () => 'plain')
}

const ROUTINGS: readonly Routing[] = [
  {
    title: 'a path',
    routes: (app) => {
      addRoute(app)
      app.get('/http', async () => 'http')
      app.route({ method: 'GET', url: '/both', handler: async () => 'http', wsHandler: () => {} })
      app.post('/ws', async () => 'http')
    },
    ours: [['/ws'], ['/ws?of=us'], ['/both']],
    theirs: [['/other'], ['/http'], ['/WS'], ['/ws/'], ['//ws'], ['/%zz'], ['/ws', {}, 'POST']],
  },
  {
    title: 'parameters, patterns and wildcards',
    routes: (app) => {
      addRoute(app, '/rooms/:id')
      addRoute(app, '/files/:name(^\\d+)')
      addRoute(app, '/any/*')
      app.get('/any/thing', async () => 'http')
      addRoute(app, '/maybe/:one?')
    },
    ours: [['/rooms/1'], ['/files/12'], ['/any/where/else'], ['/maybe'], ['/maybe/1']],
    theirs: [
      ['/rooms'],
      ['/rooms/1/2'],
      ['/files/x'],
      ['/any/thing'],
      [`/rooms/${'x'.repeat(101)}`],
    ],
  },
  {
    title: 'a prefix',
    routes: (app) => {
      void app.register(async (child) => addRoute(child, '/'), { prefix: '/both' })
      void app.register(async (child) => addRoute(child, ''), { prefix: '/none' })
      void app.register(
        async (child) => {
          child.get('/', { websocket: true, prefixTrailingSlash: 'slash' }, () => {})
        },
        { prefix: '/slash' },
      )
    },
    ours: [['/both'], ['/both/'], ['/none'], ['/slash/']],
    theirs: [['/none/'], ['/slash'], ['/']],
  },
  {
    title: 'how the app compares paths',
    fastify: router({
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      maxParamLength: 3,
      useSemicolonDelimiter: true,
    }),
    routes: (app) => {
      addRoute(app)
      addRoute(app, '/rooms/:id')
      void app.register(async (child) => addRoute(child, '/'), { prefix: '/both' })
    },
    ours: [['/WS'], ['/ws/'], ['//ws'], ['/ws;a=b'], ['/rooms/123'], ['/both'], ['/both/']],
    theirs: [['/rooms/1234'], ['/wsx']],
  },
  {
    title: 'a host and a version',
    routes: (app) => {
      app.get('/ws', { websocket: true, constraints: { host: 'ours.example' } }, () => {})
      app.get('/ws', { constraints: { host: 'http.example' } }, async () => 'http')
      app.get('/v', { websocket: true, constraints: { version: '1.2.0' } }, () => {})
    },
    ours: [
      ['/ws', { host: 'ours.example' }],
      ['/v', { 'accept-version': '1.x' }],
    ],
    theirs: [
      ['/ws', { host: 'http.example' }],
      ['/ws', { host: 'other.example' }],
      ['/v', { 'accept-version': '2.x' }],
    ],
  },
  {
    title: 'a constraint of the app',
    fastify: router({ constraints: { of: strategy as never } }),
    routes: constrained,
    ours: [['/ws', { 'x-of': 'ours' }]],
    theirs: [['/ws', { 'x-of': 'plain' }], ['/ws', { 'x-of': 'other' }], ['/ws']],
  },
  {
    title: 'what the app rewrites',
    fastify: {
      rewriteUrl: (request) => String(request.url).replace(/^\/api/, ''),
    },
    routes: (app) => addRoute(app),
    ours: [['/api/ws'], ['/ws']],
    theirs: [['/api/other']],
  },
  {
    title: 'a route that was declared before the plugin, and is the better match',
    before: (app) => app.get('/rooms/first', async () => 'http'),
    routes: (app) => {
      addRoute(app, '/rooms/:id')
      addRoute(app, '/*')
    },
    ours: [['/rooms/other'], ['/rooms/first/x']],
    theirs: [['/rooms/first']],
  },
  {
    title: 'a list of protocols with ours in it, and others',
    routes: (app) => addRoute(app),
    ours: [
      ['/ws', { upgrade: 'h2c, websocket' }],
      ['/ws', { upgrade: 'WebSocket , foo/1' }],
    ],
    theirs: [
      ['/ws', { upgrade: 'h2c' }],
      ['/ws', { upgrade: 'websockets' }],
    ],
  },
]

describe('beside another listener, ours are those that a route of ours will get:', () => {
  for (const { title, fastify, before, routes, ours, theirs } of ROUTINGS) {
    test(title, async (t) => {
      const app = await serve(t, {
        ...(fastify && { fastify }),
        ...(before && { before }),
        options: { allowedOrigins: '*' },
        routes: (app) => {
          addNeighbour(app)
          routes(app)
        },
      })
      for (const [path, headers] of ours) {
        assert.equal(await statusOf(app, path, headers), 101, path)
      }
      for (const [path, headers, method] of theirs) {
        assert.equal(await statusOf(app, path, headers, method), THEIRS, path)
      }
      assert.equal(app.websocketLifecycle.stats().refused.route, 0)
    })
  }

  test('of a constraint that cannot be asked, its path', async (t) => {
    for (const unknown of [strategy, asyncStrategy]) {
      const app = await serve(t, {
        before: (app) => app.addConstraintStrategy(unknown as never),
        routes: (app) => {
          addNeighbour(app)
          constrained(app)
        },
      })
      assert.equal(await statusOf(app, '/ws', { 'x-of': 'ours' }), 101)
      assert.equal(await statusOf(app, '/ws', { 'x-of': 'other' }), 404)
      assert.equal(await statusOf(app, '/other'), THEIRS)
    }
  })

  test('also one whose URL cannot be rewritten: nothing is thrown, and its deadline ends it', async (t) => {
    const clock = new FakeClock()
    const { lines, fastify } = logLines()
    const app = await serve(t, {
      clock,
      options: { handshakeTimeout: 1_000 },
      fastify: {
        ...fastify,
        rewriteUrl: (request) => {
          if (request.url === '/throws') throw new Error('cannot rewrite')
          return String(request.url)
        },
      },
      routes: (app) => {
        addNeighbour(app)
        addRoute(app)
      },
    })
    const peer = await RawPeer.dial(portOf(app), '/throws')
    await until(() => clock.pending > 0)
    const answer = peer.answer()
    await clock.advance(1_200)
    assert.equal(parseAnswer(await within(answer, 'an answer')).status, 503)
    assert.ok(lines.some(({ msg }) => msg === 'websocket upgrade failed'))
    assert.equal(await statusOf(app, '/other'), THEIRS)
  })
})
