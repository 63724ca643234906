// Others who listen for upgrades on the same server: what is ours never reaches them, what is theirs we do not touch.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { WebSocketServer } from 'ws'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { Client, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve, type Setup } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const emitOfNode = Reflect.get(EventEmitter.prototype, 'emit')

/** What the neighbour answers to all that it gets, as one does that believes that all is its own. */
const THEIRS = 418

/** Somebody else's listener: the third argument tells that it could shake hands. */
function addNeighbour(app: FastifyInstance): void {
  app.server.on('upgrade', (_request, raw: Duplex, _head: Buffer) => {
    raw.end(`HTTP/1.1 ${THEIRS} ${STATUS_CODES[THEIRS]}\r\ncontent-length: 0\r\n\r\n`)
  })
}

function addRoute(app: FastifyInstance, url = '/ws'): void {
  app.get(url, { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
  })
}

/** Who gets an upgrade: the status that it is answered with. */
async function statusOf(
  app: FastifyInstance,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<number> {
  const handshake = RawPeer.handshake(portOf(app), path, headers).replace('GET', method)
  const peer = await RawPeer.dialWith(portOf(app), handshake)
  const { status } = parseAnswer(await within(peer.answer(), 'an answer'))
  peer.destroy()
  return status
}

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

describe('another listener', () => {
  for (const [when, setup, listen] of [
    ['before the plugin', { before: addNeighbour }],
    ['after the plugin', { routes: addNeighbour }],
    ['after the app has begun to listen', {}, addNeighbour],
  ] as const satisfies ReadonlyArray<readonly [string, Setup, typeof addNeighbour?]>) {
    test(`that was added ${when} hears nothing of ours, also while draining`, async (t) => {
      const { routes, ...others }: Setup = setup
      const app = await serve(t, {
        ...others,
        routes: (app) => {
          addRoute(app)
          routes?.(app)
        },
      })
      listen?.(app)
      const client = await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
      client.ws.send('hello')
      assert.equal(await client.next(), 'echo hello')
      assert.equal(await statusOf(app, '/other'), THEIRS)
      await app.websocketLifecycle.drain()
      assert.equal(await statusOf(app, '/other'), THEIRS)
      assert.equal(await statusOf(app, '/ws'), 503)
      assert.equal(app.websocketLifecycle.stats().refused.draining, 1)
    })
  }

  test('that was added after the app has begun to listen at both addresses of localhost', async (t) => {
    const app = await serveAt(t, 'localhost')
    addNeighbour(app)
    for (const { address } of app.addresses() as AddressInfo[]) {
      const host = address.includes(':') ? `[${address}]` : address
      const client = await Client.open(`ws://${host}:${portOf(app)}/ws`)
      client.ws.send('hello')
      assert.equal(await client.next(), 'echo hello')
      assert.equal((await refusal(`ws://${host}:${portOf(app)}/other`)).status, THEIRS)
    }
  })

  test('may be a ws server with a path of its own, which answers 400 to others', async (t) => {
    const app = await serve(t, { routes: addRoute })
    const server = new WebSocketServer({ server: app.server, path: '/own' })
    t.after(() => server.close())
    server.on('connection', (socket) => socket.send('own'))
    const own = await Client.open(`ws://127.0.0.1:${portOf(app)}/own`)
    assert.equal(await own.next(), 'own')
    const ours = await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
    ours.ws.send('hello')
    assert.equal(await ours.next(), 'echo hello')
    assert.equal(await statusOf(app, '/other'), 400)
    own.ws.terminate()
  })

  test('that only looks on hears of ours too, and can do nothing to them', async (t) => {
    const heard: string[] = []
    const gone: string[] = []
    const app = await serve(t, {
      routes: (app) => {
        addRoute(app)
        const { server } = app
        server.on('upgrade', ({ url }: IncomingMessage) => heard.push(`one ${url}`))
        server.once('upgrade', () => heard.push('once'))
        server.on('upgrade', ({ url }: IncomingMessage, raw: Duplex) => {
          heard.push(`two ${url}`)
          raw.on('close', () => gone.push(String(url)))
          raw.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
        })
      },
    })
    const clients = [
      await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`),
      await Client.open(`ws://127.0.0.1:${portOf(app)}/ws?again`),
    ]
    for (const client of clients) {
      client.ws.send('hello')
      assert.equal(await client.next(), 'echo hello')
    }
    assert.deepEqual(heard, ['one /ws', 'once', 'two /ws', 'one /ws?again', 'two /ws?again'])
    assert.deepEqual(gone, ['/ws', '/ws?again'])
    assert.equal(await statusOf(app, '/other'), 404)
    assert.equal(heard.at(-1), 'two /other')
  })

  test('that listens once gets one; the next is answered by the app again', async (t) => {
    const app = await serve(t, { routes: addRoute })
    app.server.prependOnceListener('upgrade', (_request, raw: Duplex) => {
      raw.end(`HTTP/1.1 ${THEIRS} \r\ncontent-length: 0\r\n\r\n`)
    })
    assert.equal(await statusOf(app, '/other'), THEIRS)
    assert.equal(await statusOf(app, '/other'), 404)
  })

  test('is told of what is not ours even by who goes past the emit of the server', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        addRoute(app)
        const emit = (...event: [string, ...unknown[]]): boolean =>
          emitOfNode.call(app.server, ...event)
        const seen: Array<string | undefined> = []
        app.server.on('upgrade', (request: { url?: string }) => seen.push(request.url))
        app.decorate('past', { emit, seen })
      },
    })
    const { emit, seen } = Reflect.get(app, 'past') as {
      emit: (...event: [string, ...unknown[]]) => boolean
      seen: string[]
    }
    const emitOfServer = Reflect.get(app.server, 'emit') as typeof emit
    app.server.emit = emit as never
    t.after(() => {
      app.server.emit = emitOfServer as never
    })
    const stranger = await RawPeer.dial(portOf(app), '/other')
    await until(() => seen.length === 1)
    stranger.destroy()
    const client = await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`)
    client.ws.send('hello')
    assert.equal(await client.next(), 'echo hello')
    client.ws.terminate()
  })
})

async function serveAt(t: TestContext, host: string): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app)
  await app.register(createPlugin())
  addRoute(app)
  await app.listen({ host, port: 0 })
  return app
}

describe('the emit of the server', () => {
  test('is as before once the app has closed', async (t) => {
    const app = await serve(t, { routes: addRoute })
    assert.ok(Object.hasOwn(app.server, 'emit'))
    await app.close()
    assert.ok(!Object.hasOwn(app.server, 'emit'))
  })

  test('may have been one of its own before', async (t) => {
    const events: unknown[] = []
    const own = function (this: FastifyInstance['server'], ...event: unknown[]): boolean {
      events.push(event[0])
      return emitOfNode.call(this, String(event[0]), ...event.slice(1))
    }
    const app = await serve(t, {
      before: (app) => {
        app.server.emit = own as never
      },
      routes: addRoute,
    })
    assert.equal(await statusOf(app, '/ws'), 101)
    assert.ok(events.includes('connection'))
    await app.close()
    assert.equal(Reflect.get(app.server, 'emit'), own)
  })

  test('may have got another one around it, which stays, and then does nothing of ours', async (t) => {
    const app = await serve(t, { routes: addRoute })
    const ours = Reflect.get(app.server, 'emit') as (...event: unknown[]) => boolean
    const around = function (this: FastifyInstance['server'], ...event: unknown[]): boolean {
      return Reflect.apply(ours, this, event)
    }
    app.server.emit = around as never
    assert.equal(await statusOf(app, '/ws'), 101)
    await app.close()
    assert.equal(Reflect.get(app.server, 'emit'), around)
    const heard = once(app.server, 'upgrade')
    app.server.emit('upgrade', { url: '/later' } as never, undefined as never, Buffer.alloc(0))
    assert.deepEqual(((await heard) as unknown[])[0], { url: '/later' })
  })
})

describe('ignoreUpgrade', () => {
  const isTheirs = {
    ignoreUpgrade: (request: IncomingMessage) => request.headers['x-of'] === 'them',
  }

  test('leaves to others what a route of ours would match', async (t) => {
    const app = await serve(t, {
      options: isTheirs,
      routes: (app) => {
        addRoute(app)
        addNeighbour(app)
      },
    })
    assert.equal(await statusOf(app, '/ws'), 101)
    assert.equal(await statusOf(app, '/ws', { 'x-of': 'them' }), THEIRS)
  })

  test('makes it a plain request where nobody else listens', async (t) => {
    const app = await serve(t, {
      options: isTheirs,
      routes: (app) =>
        app.route({
          method: 'GET',
          url: '/both',
          handler: async () => 'http',
          wsHandler: () => {},
        }),
    })
    const peer = await RawPeer.dial(portOf(app), '/both', { 'x-of': 'them' })
    const { status, body } = parseAnswer(await peer.answer())
    assert.deepEqual({ status, body }, { status: 200, body: 'http' })
    peer.destroy()
    assert.equal(await statusOf(app, '/both'), 101)
    const headers = { 'x-of': 'them', host: 'localhost' }
    await assert.rejects(app.injectWS('/both', { headers }), /Unexpected server response: 200/)
  })

  for (const [title, ignoreUpgrade, text] of [
    [
      'throws',
      () => {
        throw new Error('no idea')
      },
      /no idea/,
    ],
    ['answers later', async () => true, /return a boolean, got object/],
  ] as const) {
    test(`that ${title} is logged, and the paths decide`, async (t) => {
      const { lines, fastify } = logLines()
      const app = await serve(t, {
        fastify,
        options: { ignoreUpgrade: ignoreUpgrade as () => boolean },
        routes: (app) => {
          addRoute(app)
          addNeighbour(app)
        },
      })
      assert.equal(await statusOf(app, '/ws'), 101)
      assert.equal(await statusOf(app, '/other'), THEIRS)
      const failed = lines.filter(({ msg }) => msg === '`ignoreUpgrade` failed')
      assert.equal(failed.length, 2)
      assert.match(String(Reflect.get(failed[0]?.['err'] as LogLine, 'message')), text)
    })
  }
})
