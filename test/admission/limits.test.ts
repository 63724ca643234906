// How many connections a server and a route take at once.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleOptions, WebsocketLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { leave, roomFor, turnedAway } from '../support/models/door.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve, type Setup } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'

const OF_SERVER =
  'There are as many WebSocket connections as the `maxConnections` of the server allows'

function ofRoute(url: string): string {
  return `There are as many WebSocket connections as the \`maxConnections\` of route ${url} allows`
}

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** The paths whose handler has run. */
  readonly handled: string[]
}

/** An app with the routes `/a` and `/b`, one in a child with a prefix, and one that is HTTP as well. */
async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions,
  a: LifecycleOptions = {},
  setup: Setup = {},
): Promise<Served> {
  const clock = new FakeClock()
  const handled: string[] = []
  const handle = (_socket: unknown, request: FastifyRequest): void => void handled.push(request.url)
  const app = await serve(t, {
    clock,
    ...setup,
    options: { keepalive: false, ...options },
    routes: (app) => {
      setup.routes?.(app)
      app.get('/a', { websocket: true, ...a }, handle)
      app.get('/b', { websocket: true }, handle)
      void app.register(
        async (child) => {
          child.get('/c', { websocket: true }, handle)
        },
        { prefix: '/child' },
      )
      app.route({ method: 'GET', url: '/both', wsHandler: handle, handler: async () => 'http' })
    },
  })
  return { app, clock, port: portOf(app), handled }
}

const PATHS = ['/a', '/b', '/child/c', '/both'] as const

describe('maxConnections of the plugin', () => {
  test('counts the connections of all routes together', async (t) => {
    const { app, port, handled } = await start(t, { maxConnections: PATHS.length })
    const peers = await Promise.all(PATHS.map((path) => RawPeer.open(port, path)))
    for (const path of PATHS) assert.equal((await turnedAway(app, path)).status, 503)
    for (const [i, path] of PATHS.entries()) {
      await leave(app, peers[i] as RawPeer)
      // The place of the one is free for any other.
      peers[i] = await RawPeer.open(port, PATHS.at(i - 1))
      assert.equal((await turnedAway(app, path)).status, 503)
    }
    assert.equal(handled.length, 2 * PATHS.length)
    const { open, opened, refused: counts } = app.websocketLifecycle.stats()
    assert.deepEqual([open, opened], [PATHS.length, 2 * PATHS.length])
    assert.deepEqual(counts, refused({ limit: 2 * PATHS.length }))
  })

  test('answers who comes on top with a 503, a Fastify error, Retry-After, and ends the socket', async (t) => {
    const { app, port } = await start(t, { maxConnections: 1 })
    await RawPeer.open(port, '/a')
    const { status, headers, body } = await turnedAway(app, '/a')
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '5')
    assert.match(String(headers['content-type']), /^application\/json/)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 503,
      code: 'FST_ERR_WSL_TOO_MANY_CONNECTIONS',
      error: 'Service Unavailable',
      message: OF_SERVER,
    })
    const again = await refusal(`ws://127.0.0.1:${port}/a`)
    assert.deepEqual([again.status, again.headers['retry-after']], [503, '5'])
  })

  test('holds for what opens through injectWS too', async (t) => {
    const { app } = await start(t, { maxConnections: 1 })
    const client = await app.injectWS('/a')
    await assert.rejects(async () => app.injectWS('/b'), /Unexpected server response: 503/)
    client.terminate()
    await until(() => app.websocketLifecycle.connections.size === 0)
    const other = await app.injectWS('/b')
    other.terminate()
  })

  test('holds over TLS', async (t) => {
    const options = { maxConnections: 2 }
    const { app, port } = await start(
      t,
      options,
      {},
      { fastify: { https: { key, cert } } as object },
    )
    const url = `wss://127.0.0.1:${port}/a`
    const peers = await Promise.all([1, 2].map(() => openOverTls(port)))
    assert.equal((await refusal(url, { tls: { ca: cert } })).status, 503)
    peers[0]?.destroy()
    await until(() => app.websocketLifecycle.connections.size === 1)
    await openOverTls(port)
    assert.equal((await refusal(url, { tls: { ca: cert } })).status, 503)
  })

  test('counts no requests that are no upgrades, and refuses none', async (t) => {
    const { app, port } = await start(t, { maxConnections: 1 })
    const get = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/both`)).text()
    assert.equal(await get(), 'http')
    await RawPeer.open(port, '/both')
    assert.equal((await turnedAway(app, '/both')).status, 503)
    assert.equal(await get(), 'http')
    assert.equal((await app.inject('/a')).statusCode, 404)
  })

  test('counts no upgrades of paths without WebSocket: they get their 404 also where it is full', async (t) => {
    const { app, port } = await start(t, { maxConnections: 1 })
    assert.equal((await turnedAway(app, '/nowhere')).status, 404)
    const peer = await RawPeer.open(port, '/a')
    assert.equal((await turnedAway(app, '/nowhere')).status, 404)
    await leave(app, peer)
    assert.equal(await roomFor(app, '/a'), 1)
  })

  test('of 0 lets nobody in', async (t) => {
    const { app, handled } = await start(t, { maxConnections: 0 })
    for (const path of PATHS) {
      const { status, body } = await turnedAway(app, path)
      assert.deepEqual([status, JSON.parse(body).message], [503, OF_SERVER])
    }
    assert.deepEqual(handled, [])
    assert.equal(app.websocketLifecycle.stats().opened, 0)
  })

  test('of Infinity lets everybody in', async (t) => {
    const { app, port } = await start(t, { maxConnections: Infinity }, { maxConnections: Infinity })
    await Promise.all(Array.from({ length: 60 }, () => RawPeer.open(port, '/a')))
    assert.equal(app.websocketLifecycle.stats().open, 60)
  })
})

async function openOverTls(port: number): Promise<RawPeer> {
  const socket = connect({ port, host: '127.0.0.1', ca: cert, servername: 'localhost' })
  await once(socket, 'secureConnect')
  return RawPeer.over(socket, port, '/a')
}

function declareRooms(app: FastifyInstance): void {
  void app.register(
    async (child) => {
      child.get('/', { websocket: true, maxConnections: 2 }, () => {})
      child.get('/:id', { websocket: true, maxConnections: 2 }, () => {})
    },
    { prefix: '/rooms' },
  )
}

describe('maxConnections of a route', () => {
  test('holds for that route alone, and is named by its 503', async (t) => {
    const { app, port } = await start(t, {}, { maxConnections: 1 })
    await RawPeer.open(port, '/a')
    const { status, headers, body } = await turnedAway(app, '/a')
    assert.deepEqual([status, headers['retry-after']], [503, '5'])
    assert.deepEqual(JSON.parse(body), {
      statusCode: 503,
      code: 'FST_ERR_WSL_TOO_MANY_CONNECTIONS',
      error: 'Service Unavailable',
      message: ofRoute('/a'),
    })
    await Promise.all(['/b', '/b', '/child/c'].map((path) => RawPeer.open(port, path)))
  })

  test('of 0 closes that route', async (t) => {
    const { app, port } = await start(t, {}, { maxConnections: 0 })
    assert.equal((await turnedAway(app, '/a')).status, 503)
    await RawPeer.open(port, '/b')
  })

  test('counts all paths of the route together', async (t) => {
    const { app, port } = await start(t, {}, {}, { routes: declareRooms })
    // With and without the slash it is one route, to Fastify too.
    for (const paths of [
      ['/rooms/1', '/rooms/2', '/rooms/3'],
      ['/rooms', '/rooms/', '/rooms'],
    ] as const) {
      const [one, two, three] = paths
      await RawPeer.open(port, one)
      await RawPeer.open(port, two)
      assert.equal((await turnedAway(app, three)).status, 503)
    }
  })

  test("is not the plugin's, which is the server's", async (t) => {
    const { port } = await start(t, { maxConnections: 10 }, { maxConnections: 1 })
    await Promise.all(Array.from({ length: 5 }, () => RawPeer.open(port, '/b')))
  })
})

describe('maxConnections of both', () => {
  test('hold at once: the lower one counts on its route, the higher one everywhere', async (t) => {
    const { app, port } = await start(t, { maxConnections: 3 }, { maxConnections: 2 })
    const messageAt = async (path: string): Promise<unknown> =>
      JSON.parse((await turnedAway(app, path)).body).message
    const first = await RawPeer.open(port, '/a')
    await RawPeer.open(port, '/a')
    assert.equal(await messageAt('/a'), ofRoute('/a'))
    const other = await RawPeer.open(port, '/b')
    // Now both are full: the server's is the first.
    assert.equal(await messageAt('/a'), OF_SERVER)
    assert.equal(await messageAt('/b'), OF_SERVER)
    await leave(app, other)
    assert.equal(await messageAt('/a'), ofRoute('/a'))
    await leave(app, first)
    assert.equal(await roomFor(app, '/a'), 1)
    assert.equal(await roomFor(app, '/b'), 2)
  })

  test("hold at once also where the route's is the higher one", async (t) => {
    const { app } = await start(t, { maxConnections: 2 }, { maxConnections: 5 })
    assert.equal(await roomFor(app, '/a'), 2)
    assert.equal(await roomFor(app, '/b'), 2)
  })

  test('a refusal by the route takes no place of the server, however many there are', async (t) => {
    const { app, port } = await start(t, { maxConnections: 3 }, { maxConnections: 1 })
    const peer = await RawPeer.open(port, '/a')
    for (let i = 0; i < 10; i++) assert.equal((await turnedAway(app, '/a')).status, 503)
    assert.equal(await roomFor(app, '/b'), 2)
    await leave(app, peer)
    assert.equal(await roomFor(app, '/b'), 3)
    assert.equal(await roomFor(app, '/a'), 1)
  })
})

const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

describe('whoever is refused by maxConnections', () => {
  for (const [of, options, a] of [
    ['server', { maxConnections: 1 }, {}],
    ['route', {}, { maxConnections: 1 }],
  ] as const) {
    test(`of the ${of} runs none of the route's hooks, nor what comes after them`, async (t) => {
      const ran: string[] = []
      const note = (name: string) => async (request: FastifyRequest) => {
        if (request.ws) ran.push(name)
      }
      const route: LifecycleOptions & Partial<Record<(typeof HOOKS)[number], unknown>> = {
        ...a,
        expiresAt: () => void ran.push('expiresAt'),
        maxConnectionsPerKey: { max: 9, key: () => void ran.push('key') },
        ...Object.fromEntries(HOOKS.map((name) => [name, note(`route ${name}`)])),
      }
      const { app, port, handled } = await start(t, options, route, {
        routes: (app) => {
          for (const name of HOOKS) app.addHook(name as 'onRequest', note(name))
        },
      })
      await RawPeer.open(port, '/a')
      assert.equal(ran.length, 2 * HOOKS.length + 2)
      assert.equal((await turnedAway(app, '/a')).status, 503)
      assert.equal(ran.length, 2 * HOOKS.length + 2)
      assert.deepEqual(handled, ['/a'])
    })
  }

  test('has run the hooks that were added before the plugin', async (t) => {
    let count = 0
    const { app } = await start(
      t,
      { maxConnections: 0 },
      {},
      { before: (app) => app.addHook('onRequest', async () => void count++) },
    )
    await turnedAway(app, '/a')
    assert.equal(count, 1)
  })

  test('is told when to come back also by an app that has an error handler of its own', async (t) => {
    const { app } = await start(
      t,
      { maxConnections: 0 },
      {},
      {
        routes: (app) =>
          app.setErrorHandler(async ({ statusCode = 500, code }: CodedError, _request, reply) =>
            reply.code(statusCode).send({ sorry: code }),
          ),
      },
    )
    const { status, headers, body } = await turnedAway(app, '/a')
    assert.equal(status, 503)
    assert.equal(body, '{"sorry":"FST_ERR_WSL_TOO_MANY_CONNECTIONS"}')
    assert.equal(headers['retry-after'], '5')
  })

  test('holds no place while the answer hangs, and is cut off after closeTimeout', async (t) => {
    const sending = gate()
    const { app, clock, port } = await start(
      t,
      { maxConnections: 1, closeTimeout: 500 },
      {},
      {
        routes: (app) =>
          app.addHook('onSend', async () => {
            sending.open()
            await never
          }),
      },
    )
    const peer = await RawPeer.open(port, '/a')
    const late = await RawPeer.dial(port, '/a')
    await sending.opened
    await leave(app, peer)
    await RawPeer.open(port, '/a')
    await clock.advance(600)
    await within(late.ended(), 'the end of the socket')
    assert.equal(app.websocketLifecycle.stats().open, 1)
  })

  test("with `refuse: 'close-frame'` gets a 101 and 1013, runs no handler, and holds no place", async (t) => {
    const { app, clock, port, handled } = await start(t, {
      maxConnections: 1,
      refuse: 'close-frame',
      closeTimeout: 500,
    })
    const peer = await RawPeer.open(port, '/a')
    const silent = await Promise.all([1, 2, 3].map(() => RawPeer.open(port, '/a')))
    for (const each of silent) {
      assert.equal((await each.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1013)
    }
    assert.deepEqual(handled, ['/a'])
    await leave(app, peer)
    const next = await RawPeer.open(port, '/b')
    await until(() => handled.length === 2)
    await clock.advance(700)
    for (const each of silent) await within(each.ended(), 'the end of the socket')
    assert.equal(next.hasEnded, false)
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ limit: 3 }))
  })
})

interface CodedError extends Error {
  readonly statusCode?: number
  readonly code?: string
}
