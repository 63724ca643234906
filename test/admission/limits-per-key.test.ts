// How many connections each user, address, or whatever the app makes of a request, has at once.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import type { LifecycleOptions, WebsocketLifecycleOptions } from '../../lib/index.js'
import { leave, roomFor, turnedAway } from '../support/models/door.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'

interface Setup {
  readonly options?: WebsocketLifecycleOptions
  readonly a?: LifecycleOptions
  readonly b?: LifecycleOptions
  readonly fastify?: FastifyServerOptions
  /** Adds hooks, and whatever else, before the routes. */
  readonly routes?: (app: FastifyInstance) => unknown
}

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly clock: FakeClock
}

/** An app with the routes `/a` and `/b`. */
async function start(t: TestContext, setup: Setup): Promise<Served> {
  const clock = new FakeClock()
  const app = await serve(t, {
    clock,
    ...(setup.fastify && { fastify: setup.fastify }),
    options: { keepalive: false, ...setup.options },
    routes: (app) => {
      setup.routes?.(app)
      app.get('/a', { websocket: true, ...setup.a }, () => {})
      app.get('/b', { websocket: true, ...setup.b }, () => {})
    },
  })
  return { app, port: portOf(app), clock }
}

/** The user that an async hook has found. */
function userOf(request: FastifyRequest): string | undefined {
  return Reflect.get(request, 'user') as string | undefined
}

/** Finds the user of a request, after a while. */
function authenticate(app: FastifyInstance): void {
  app.decorateRequest('user')
  app.addHook('onRequest', async (request) => {
    await turns(3)
    Object.assign(request, { user: request.headers['x-user'] })
  })
}

function as(user: string): Record<string, string> {
  return { 'x-user': user }
}

function messageOf(of: string): string {
  return `This client has as many WebSocket connections as the \`maxConnectionsPerKey\` of ${of} allows`
}

function errorHandler(
  { statusCode = 500 }: { statusCode?: number },
  _request: unknown,
  reply: FastifyReply,
): void {
  void reply.code(statusCode).send('sorry')
}

describe('maxConnectionsPerKey', () => {
  test('answers who comes on top with a 429, a Fastify error, Retry-After, and ends the socket', async (t) => {
    const { app, port } = await start(t, { options: { maxConnectionsPerKey: { max: 1 } } })
    await RawPeer.open(port, '/a')
    const { status, headers, body } = await turnedAway(app, '/a')
    assert.equal(status, 429)
    assert.equal(headers['retry-after'], '5')
    assert.match(String(headers['content-type']), /^application\/json/)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 429,
      code: 'FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY',
      error: 'Too Many Requests',
      message: messageOf('the server'),
    })
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ key: 1 }))
  })

  test('tells when to come back also through an error handler of the app, and of the route', async (t) => {
    const { app } = await start(t, {
      options: { maxConnectionsPerKey: { max: 0 } },
      a: { errorHandler } as LifecycleOptions,
      routes: (app) => app.setErrorHandler(errorHandler),
    })
    for (const path of ['/a', '/b']) {
      const { status, headers, body } = await turnedAway(app, path)
      assert.deepEqual([status, headers['retry-after'], body], [429, '5', 'sorry'])
    }
  })

  test('sees whom an async hook has found', async (t) => {
    const { app, port } = await start(t, {
      options: { maxConnectionsPerKey: { max: 2, key: userOf } },
      routes: authenticate,
    })
    for (const user of ['ann', 'bob']) {
      const peer = await RawPeer.open(port, '/a', as(user))
      await RawPeer.open(port, '/b', as(user))
      assert.equal((await turnedAway(app, '/a', as(user))).status, 429)
      await leave(app, peer)
      assert.equal(await roomFor(app, '/a', as(user), 429), 1)
    }
  })

  test('sees what every kind of hook and the validation have made of the request', async (t) => {
    const seen: unknown[] = []
    const key = (request: FastifyRequest): string => {
      seen.push(Reflect.get(request, 'trace'), { ...(request.query as object) })
      return 'one'
    }
    const { port } = await start(t, {
      options: { maxConnectionsPerKey: { max: 1, key } },
      a: {
        schema: { querystring: { type: 'object', properties: { room: { type: 'integer' } } } },
      } as LifecycleOptions,
      routes: (app) => {
        app.decorateRequest('trace')
        for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler']) {
          app.addHook(name as 'onRequest', async (request) => {
            await turns(1)
            const trace = String(Reflect.get(request, 'trace') ?? '')
            Object.assign(request, { trace: `${trace} ${name}`.trim() })
          })
        }
      },
    })
    await RawPeer.open(port, '/a?room=5')
    assert.deepEqual(seen, ['onRequest preParsing preValidation preHandler', { room: 5 }])
  })

  test('is asked after expiresAt, and not for whom that refuses', async (t) => {
    const seen: string[] = []
    const { app, port } = await start(t, {
      a: {
        expiresAt: async ({ headers }) => {
          seen.push('expiresAt')
          await turns(2)
          return new Date(headers['x-user'] === 'late' ? '2001-01-01' : '2100-01-01')
        },
        maxConnectionsPerKey: {
          max: 1,
          key: () => {
            seen.push('key')
            return 'one'
          },
        },
      },
    })
    assert.equal((await turnedAway(app, '/a', as('late'))).status, 401)
    assert.deepEqual(seen, ['expiresAt'])
    await RawPeer.open(port, '/a')
    assert.deepEqual(seen, ['expiresAt', 'expiresAt', 'key'])
    assert.equal((await turnedAway(app, '/a')).status, 429)
  })

  test('does not limit whom it has no key for', async (t) => {
    const { app, port } = await start(t, {
      options: { maxConnectionsPerKey: { max: 1, key: userOf } },
      routes: authenticate,
    })
    await Promise.all(Array.from({ length: 10 }, () => RawPeer.open(port, '/a')))
    assert.equal(await roomFor(app, '/a', as('ann'), 429), 1)
  })

  test('takes the empty string, and the names of what every object has, for keys as any other', async (t) => {
    const { app, port } = await start(t, {
      options: {
        maxConnectionsPerKey: { max: 1, key: ({ headers }) => String(headers['x-user']) },
      },
    })
    for (const user of ['', '__proto__', 'constructor', 'toString']) {
      await RawPeer.open(port, '/a', as(user))
      assert.equal((await turnedAway(app, '/a', as(user))).status, 429)
    }
  })

  test('of 0 lets nobody in who has a key', async (t) => {
    const { app, port } = await start(t, {
      options: { maxConnectionsPerKey: { max: 0, key: userOf } },
      routes: authenticate,
    })
    assert.equal((await turnedAway(app, '/a', as('ann'))).status, 429)
    await RawPeer.open(port, '/a')
  })

  test('of Infinity asks for no key', async (t) => {
    let asked = 0
    const { port } = await start(t, {
      options: {
        maxConnectionsPerKey: {
          max: Infinity,
          key: () => {
            asked++
            return 'one'
          },
        },
      },
    })
    await Promise.all(Array.from({ length: 10 }, () => RawPeer.open(port, '/a')))
    assert.equal(asked, 0)
  })

  for (const [name, wrong, type] of [
    ['a number', () => 7, 'number'],
    ['null', () => null, 'object'],
    ['an object', () => ({ id: 7 }), 'object'],
    ['false', () => false, 'boolean'],
    ['a symbol', () => Symbol('ann'), 'symbol'],
    ['a promise', async () => 'ann', 'object'],
    ['a promise that rejects', async () => Promise.reject(new Error('no')), 'object'],
  ] as const) {
    test(`refuses ${name} for a key, with a 500, and takes no place`, async (t) => {
      let key: () => unknown = wrong
      const { app, port } = await start(t, {
        options: {
          maxConnections: 1,
          maxConnectionsPerKey: { max: 1, key: () => key() as string },
        },
      })
      for (let i = 0; i < 3; i++) {
        const { status, body } = await turnedAway(app, '/a')
        assert.equal(status, 500)
        assert.deepEqual(JSON.parse(body), {
          statusCode: 500,
          code: 'FST_ERR_WSL_INVALID_OPTION',
          error: 'Internal Server Error',
          message: `Expected \`maxConnectionsPerKey.key\` to return a string or undefined, got ${type}, in the options of route /a`,
        })
      }
      key = () => 'ann'
      await RawPeer.open(port, '/a')
      assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
    })
  }

  test('that throws is as a hook that throws', async (t) => {
    const { lines, fastify } = logLines()
    let isBroken = true
    const key = (): string => {
      if (isBroken) throw Object.assign(new Error('who are you?'), { statusCode: 401 })
      return 'ann'
    }
    const { app, port } = await start(t, {
      fastify,
      options: { maxConnections: 1, maxConnectionsPerKey: { max: 1, key } },
    })
    const { status, body } = await turnedAway(app, '/a')
    assert.deepEqual([status, JSON.parse(body).message], [401, 'who are you?'])
    assert.ok(lines.some(({ msg }) => msg === 'who are you?'))
    isBroken = false
    await RawPeer.open(port, '/a')
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
  })
})

function byUser(max: number): Pick<LifecycleOptions, 'maxConnectionsPerKey'> {
  return { maxConnectionsPerKey: { max, key: ({ headers }) => String(headers['x-user']) } }
}

describe('maxConnectionsPerKey of the plugin and of routes', () => {
  test("the plugin's is shared by the routes without one of their own", async (t) => {
    const { app, port } = await start(t, { options: byUser(3) })
    await RawPeer.open(port, '/a', as('ann'))
    await RawPeer.open(port, '/b', as('ann'))
    assert.equal(await roomFor(app, '/a', as('ann'), 429), 1)
    assert.equal(await roomFor(app, '/b', as('ann'), 429), 1)
    assert.equal(await roomFor(app, '/b', as('bob'), 429), 3)
  })

  test("a route's replaces it, has a count of its own, and is named by its 429", async (t) => {
    const { app, port } = await start(t, { options: byUser(3), a: byUser(1) })
    await RawPeer.open(port, '/a', as('ann'))
    const { body } = await turnedAway(app, '/a', as('ann'))
    assert.equal(JSON.parse(body).message, messageOf('route /a'))
    // What is open at /a counts there alone.
    assert.equal(await roomFor(app, '/b', as('ann'), 429), 3)
  })

  test("a route's may be the higher one", async (t) => {
    const { app } = await start(t, { options: byUser(1), a: byUser(4) })
    assert.equal(await roomFor(app, '/a', as('ann'), 429), 4)
    assert.equal(await roomFor(app, '/b', as('ann'), 429), 1)
  })

  test("a route's of Infinity takes it off that route", async (t) => {
    const { app, port } = await start(t, { options: byUser(1), a: byUser(Infinity) })
    await Promise.all(Array.from({ length: 5 }, () => RawPeer.open(port, '/a', as('ann'))))
    assert.equal(await roomFor(app, '/b', as('ann'), 429), 1)
  })

  test('two routes with the same object count apart', async (t) => {
    const own = byUser(1)
    const { app, port } = await start(t, { a: own, b: own })
    await RawPeer.open(port, '/a', as('ann'))
    await RawPeer.open(port, '/b', as('ann'))
    for (const path of ['/a', '/b']) {
      const { body } = await turnedAway(app, path, as('ann'))
      assert.equal(JSON.parse(body).message, messageOf(`route ${path}`))
    }
  })

  test("the plugin's object given to a route again is that route's own", async (t) => {
    const own = byUser(1)
    const { app, port } = await start(t, { options: own, a: own })
    await RawPeer.open(port, '/a', as('ann'))
    assert.equal(await roomFor(app, '/b', as('ann'), 429), 1)
    assert.equal((await turnedAway(app, '/a', as('ann'))).status, 429)
  })

  test('hold beside maxConnections: whoever is full first refuses', async (t) => {
    const { app, port } = await start(t, { options: { maxConnections: 3, ...byUser(2) } })
    const peers = [await RawPeer.open(port, '/a', as('ann'))]
    peers.push(await RawPeer.open(port, '/a', as('ann')))
    // A refusal by the key takes no place of the server.
    for (let i = 0; i < 5; i++) {
      assert.equal((await turnedAway(app, '/a', as('ann'))).status, 429)
    }
    await RawPeer.open(port, '/a', as('bob'))
    assert.equal((await turnedAway(app, '/a', as('ann'))).status, 503)
    assert.equal((await turnedAway(app, '/a', as('cat'))).status, 503)
    await leave(app, ...peers)
    assert.equal(await roomFor(app, '/a', as('ann')), 2)
    assert.equal(await roomFor(app, '/a', as('bob'), 429), 1)
  })
})
