// @fastify/rate-limit on a WebSocket route: a stop for floods of upgrade attempts.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import rateLimit, { type RateLimitOptions, type RateLimitPluginOptions } from '@fastify/rate-limit'
import Fastify, {
  type FastifyInstance,
  type FastifyRequest,
  type RouteShorthandOptions,
} from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import type { UpgradeRefusedError } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { type Answer, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { endWith, portOf } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const ORDERS = ['before', 'after'] as const

interface Setup {
  /** When @fastify/rate-limit is registered. */
  readonly order?: (typeof ORDERS)[number]
  readonly limit?: RateLimitPluginOptions
  readonly plugin?: WebsocketLifecycleOptions
  readonly route?: RouteShorthandOptions
  readonly clock?: FakeClock
}

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly url: string
  readonly events: string[]
}

async function start(t: TestContext, setup: Setup): Promise<Served> {
  const { order = 'before', limit = { global: false }, clock } = setup
  const app = Fastify()
  endWith(t, app, clock)
  const events: string[] = []
  if (order === 'before') await app.register(rateLimit, limit)
  await app.register(createPlugin(clock), { keepalive: false, ...setup.plugin })
  app.addHook('onRequest', async ({ wsScope }) => {
    wsScope?.defer(() => events.push('release'))
  })
  if (order === 'after') await app.register(rateLimit, limit)
  app.get(
    '/ws',
    {
      ...setup.route,
      websocket: true,
      preValidation: async () => void events.push('hook'),
    },
    (socket) => {
      events.push('handler')
      socket.send('welcome')
    },
  )
  app.get('/http', async () => 'http')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const port = portOf(app)
  return { app, port, url: `ws://127.0.0.1:${port}/ws`, events }
}

/** Attempts of so many, within a minute, on the route alone. */
function onRoute(max: number, more: RateLimitOptions = {}): RouteShorthandOptions {
  return { config: { rateLimit: { max, timeWindow: 60_000, ...more } } }
}

function userOf({ headers }: FastifyRequest): string {
  return String(headers['user'])
}

function assertTooMany({ status, headers, body }: Answer): void {
  assert.equal(status, 429)
  const wait = Number(headers['retry-after'])
  assert.ok(wait > 0 && wait <= 60, `${wait} s`)
  assert.equal((JSON.parse(body) as { statusCode: number }).statusCode, 429)
}

for (const order of ORDERS) {
  describe(`@fastify/rate-limit, registered ${order} us`, () => {
    test('answers upgrades above the limit of a route with 429, Retry-After and the end', async (t) => {
      const { app, port, url, events } = await start(t, { order, route: onRoute(2) })
      const clients = [await connect(url), await connect(url)]
      for (const client of clients) assert.equal(await client.next(), 'welcome')
      assertTooMany(await refusal(url))
      const peer = await RawPeer.dial(port, '/ws')
      assertTooMany(parseAnswer(await peer.answer()))
      await within(peer.ended(), 'the end of the socket')
      await until(() => events.filter((event) => event === 'release').length === 2)
      const count = (event: string): number => events.filter((each) => each === event).length
      assert.deepEqual([count('hook'), count('handler')], [2, 2])
      const { open, opened, refused: counts } = app.websocketLifecycle.stats()
      assert.deepEqual({ open, opened }, { open: 2, opened: 2 })
      assert.deepEqual(counts, refused())
    })

    test('does the same for a limit of all routes, in which plain requests count', async (t) => {
      const { app, url } = await start(t, { order, limit: { max: 2, timeWindow: 60_000 } })
      await connect(url)
      const plain = url.replace('ws', 'http').replace('/ws', '/http')
      assert.equal((await fetch(plain)).status, 200)
      assertTooMany(await refusal(url))
      assert.equal((await fetch(plain)).status, 429)
      assert.equal(app.websocketLifecycle.stats().opened, 1)
    })

    test('gives back the place of whom it refuses, each time', async (t) => {
      const plugin = { maxConnections: 2 }
      const { app, url } = await start(t, { order, plugin, route: onRoute(1) })
      await connect(url)
      for (let i = 0; i < 20; i++) assertTooMany(await refusal(url))
      assert.equal(app.websocketLifecycle.stats().refused.limit, 0)
    })

    test('lets in exactly as many of a burst as it says', async (t) => {
      const { app } = await start(t, { order, route: onRoute(10) })
      const burst = Array.from({ length: 200 }, async () => connect(app, '/ws'))
      const refusals = (await Promise.allSettled(burst)).filter(
        (each) => each.status === 'rejected',
      )
      assert.equal(refusals.length, 190)
      for (const { reason } of refusals) assert.equal((reason as UpgradeRefusedError).status, 429)
      const { open, opened } = app.websocketLifecycle.stats()
      assert.deepEqual({ open, opened }, { open: 10, opened: 10 })
    })

    test('opens again when the window is over', async (t) => {
      let now = Date.now()
      t.mock.method(Date, 'now', () => now)
      const { url } = await start(t, { order, route: onRoute(1) })
      await connect(url)
      assertTooMany(await refusal(url))
      now += 60_000
      await connect(url)
    })

    test('does not count what was refused for its origin, or because all is full', async (t) => {
      const plugin = { maxConnections: 1 }
      const { app, url } = await start(t, { order, plugin, route: onRoute(2) })
      const strangers = { headers: { origin: 'https://evil.example' } }
      for (let i = 0; i < 5; i++) assert.equal((await refusal(url, strangers)).status, 403)
      const client = await connect(url)
      for (let i = 0; i < 5; i++) assert.equal((await refusal(url)).status, 503)
      void client.close()
      await until(() => app.websocketLifecycle.stats().open === 0)
      await connect(url)
      assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ origin: 5, limit: 5 }))
    })
  })
}

describe('@fastify/rate-limit', () => {
  test('can count by whom the hooks have found', async (t) => {
    const route = onRoute(1, { hook: 'preHandler', keyGenerator: userOf })
    const { url } = await start(t, { route })
    await connect(url, undefined, { headers: { user: 'ada' } })
    assertTooMany(await refusal(url, { headers: { user: 'ada' } }))
    await connect(url, undefined, { headers: { user: 'bob' } })
  })

  test('whose store does not answer holds up an upgrade for a handshakeTimeout at most', async (t) => {
    const clock = new FakeClock()
    const asked: string[] = []
    class Store {
      incr(key: string): void {
        asked.push(key)
      }
      child(): Store {
        return this
      }
    }
    const limit = { store: Store, timeWindow: 60_000 }
    const plugin = { handshakeTimeout: 1_000, maxConnections: 1 }
    const { app, port, events } = await start(t, { clock, limit, plugin })
    const peer = await RawPeer.dial(port, '/ws')
    await until(() => asked.length === 1)
    await clock.advance(1_300)
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await within(peer.ended(), 'the end of the socket')
    await until(() => events.length > 0)
    assert.deepEqual(events, ['release'])
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ handshake: 1 }))
  })

  test('that cannot ask its store fails the upgrade, and the socket is ended', async (t) => {
    class Store {
      incr(_key: string, callback: (error: Error) => void): void {
        callback(new Error('the store is gone'))
      }
      child(): Store {
        return this
      }
    }
    const plugin = { maxConnections: 1 }
    const { app, port } = await start(t, { limit: { store: Store }, plugin })
    for (let i = 0; i < 3; i++) {
      const peer = await RawPeer.dial(port, '/ws')
      assert.equal(parseAnswer(await peer.answer()).status, 500)
      await within(peer.ended(), 'the end of the socket')
    }
    assert.equal(app.websocketLifecycle.stats().opened, 0)
  })

  test('can be told to a page by a close frame, through createRateLimit()', async (t) => {
    const now = Date.now()
    t.mock.method(Date, 'now', () => now)
    const app = Fastify()
    endWith(t, app)
    await app.register(rateLimit, { global: false })
    await app.register(createPlugin(), { keepalive: false })
    const count = app.createRateLimit({ max: 1, timeWindow: 60_000 })
    app.get(
      '/ws',
      {
        websocket: true,
        async onRequest(request, reply) {
          const attempt = await count(request)
          if (attempt.isAllowed || !attempt.isExceeded) return undefined
          return reply.refuseWebsocket(1013, `${attempt.ttlInSeconds} s`)
        },
      },
      (socket) => socket.send('welcome'),
    )
    await app.listen({ host: '127.0.0.1', port: 0 })
    const url = `ws://127.0.0.1:${portOf(app)}/ws`
    const client = await connect(url)
    assert.equal(await client.next(), 'welcome')
    const { code, reason } = await (await connect(url)).closed
    assert.equal(code, 1013)
    assert.equal(reason, '60 s')
    assert.equal((await fetch(url.replace('ws', 'http'))).status, 503)
    const { open, opened, refused: counts } = app.websocketLifecycle.stats()
    assert.deepEqual({ open, opened, counts }, { open: 1, opened: 1, counts: refused({ hook: 1 }) })
  })

  test('through injectWS needs a key of its own: there is no address', async (t) => {
    const route = onRoute(1, { keyGenerator: () => 'everybody' })
    const { app } = await start(t, { route })
    const socket = await app.injectWS('/ws')
    await assert.rejects(async () => app.injectWS('/ws'), /429/)
    socket.terminate()
  })
})
