// Refusals reach the client through a real nginx as they were meant, and nothing of them is left.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { LifecycleOptions, LifecycleSocket, RefusalReason } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { type Closed, refusal } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { type OneRoute, serveOne } from '../support/servers/server.js'
import { cert } from '../support/servers/tls.js'
import { type Behind, HOST, serveBehind, TRUSTING } from './support/behind.js'
import { startNginx } from './support/nginx.js'

interface Served extends Behind {
  readonly clock: FakeClock
  /** The sockets that a handler got. */
  readonly sockets: LifecycleSocket[]
}

async function start(t: TestContext, setup: OneRoute): Promise<Served> {
  const clock = new FakeClock()
  const sockets: LifecycleSocket[] = []
  const handler = (socket: LifecycleSocket): void => void sockets.push(socket)
  const behind = await serveBehind(t, { clock, fastify: TRUSTING, handler, ...setup })
  return { ...behind, clock, sockets }
}

/** That the app can close at once: no deadline has to pass for it. */
async function assertNothingLeft({ app, clock }: Served): Promise<void> {
  await within(app.close(), 'app.close()')
  assert.equal(app.websocketLifecycle.stats().open, 0)
  assert.equal(clock.pending, 0)
}

const CROSS_SITE = { headers: { origin: 'https://evil.example' } }

/** A way to be refused by status. */
interface Refused {
  readonly route: LifecycleOptions & { readonly onRequest?: () => Promise<unknown> }
  /** What comes before the upgrade that is refused. */
  readonly first?: (served: Served) => unknown
  /** What has to happen until it is. */
  readonly meanwhile?: (served: Served) => unknown
  readonly visit?: { path?: string; headers?: Record<string, string> }
  readonly status: number
  readonly code: string
  readonly retryAfter?: string
  readonly reason?: RefusalReason
}

const asked = gate()

const BY_STATUS: Readonly<Record<string, Refused>> = {
  'maxConnections is reached': {
    route: { maxConnections: 1 },
    first: ({ open }) => open(),
    status: 503,
    code: 'FST_ERR_WSL_TOO_MANY_CONNECTIONS',
    retryAfter: '5',
    reason: 'limit',
  },
  'maxConnectionsPerKey is reached': {
    route: { maxConnectionsPerKey: { max: 1 } },
    first: ({ open }) => open(),
    status: 429,
    code: 'FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY',
    retryAfter: '5',
    reason: 'key',
  },
  'the server drains': {
    route: {},
    first: ({ app }) => app.websocketLifecycle.drain({ retryAfter: 30 }),
    status: 503,
    code: 'FST_ERR_WSL_DRAINING',
    retryAfter: '30',
    reason: 'draining',
  },
  'the handshake takes too long': {
    route: {
      handshakeTimeout: 1_000,
      onRequest: async () => {
        asked.open()
        return never
      },
    },
    meanwhile: async ({ clock }) => {
      await asked.opened
      await clock.advance(1_200)
    },
    status: 503,
    code: 'FST_ERR_WSL_HANDSHAKE_TIMEOUT',
    reason: 'handshake',
  },
  'the origin is not allowed': {
    route: {},
    visit: CROSS_SITE,
    status: 403,
    code: 'FST_ERR_WSL_ORIGIN',
    reason: 'origin',
  },
  'the credentials have expired': {
    route: { expiresAt: () => new Date('2020-01-01') },
    status: 401,
    code: 'FST_ERR_WSL_CREDENTIALS_EXPIRED',
  },
  'the path is no WebSocket route': {
    route: {},
    visit: { path: '/http' },
    status: 404,
    code: 'FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE',
    reason: 'route',
  },
}

describe('a refusal by status reaches the client', () => {
  for (const [title, { route, first, meanwhile, visit, ...expected }] of Object.entries(
    BY_STATUS,
  )) {
    test(`where ${title}`, async (t) => {
      const served = await start(t, {
        route,
        routes: (app) => void app.get('/http', async () => 'http'),
      })
      await first?.(served)
      const { opened } = served.app.websocketLifecycle.stats()
      const answering = served.refusal(visit)
      await meanwhile?.(served)
      const { status, headers, body } = await within(answering, 'an answer')
      assert.equal(status, expected.status)
      assert.equal(headers['retry-after'], expected.retryAfter)
      assert.match(String(headers['content-type']), /^application\/json/)
      assert.equal(JSON.parse(body).code, expected.code)
      const stats = served.app.websocketLifecycle.stats()
      assert.deepEqual(stats.refused, refused(expected.reason && { [expected.reason]: 1 }))
      assert.equal(stats.opened, opened)
      await assertNothingLeft(served)
    })
  }
})

/** A way to be refused by a close frame. */
interface Closing {
  readonly setup: OneRoute
  readonly first?: (served: Served) => unknown
  readonly visit?: { headers: Record<string, string> }
  readonly closed: Closed
  readonly reason: RefusalReason
}

function refusing(code?: number, reason?: string): OneRoute {
  return {
    routes: (app) => {
      app.addHook('preValidation', async (_request, reply) => reply.refuseWebsocket(code, reason))
    },
  }
}

const BY_CLOSE_FRAME: Readonly<Record<string, Closing>> = {
  'the origin is not allowed': {
    setup: { route: { refuse: 'close-frame' } },
    visit: CROSS_SITE,
    closed: { code: 3003, reason: 'origin' },
    reason: 'origin',
  },
  'maxConnections is reached': {
    setup: { route: { refuse: 'close-frame', maxConnections: 1 } },
    first: ({ open }) => open(),
    closed: { code: 1013, reason: 'limit' },
    reason: 'limit',
  },
  'maxConnectionsPerKey is reached': {
    setup: { route: { refuse: 'close-frame', maxConnectionsPerKey: { max: 1 } } },
    first: ({ open }) => open(),
    closed: { code: 4429, reason: 'key' },
    reason: 'key',
  },
  'a hook refuses': {
    setup: refusing(),
    closed: { code: 3000, reason: '' },
    reason: 'hook',
  },
  'a hook refuses with a code and a reason': {
    setup: refusing(4401, 'log in again'),
    closed: { code: 4401, reason: 'log in again' },
    reason: 'hook',
  },
}

describe('a refusal by close frame reaches the client', () => {
  for (const [title, { setup, first, visit, closed, reason }] of Object.entries(BY_CLOSE_FRAME)) {
    test(`where ${title}`, async (t) => {
      const served = await start(t, setup)
      await first?.(served)
      const handled = served.sockets.length
      const client = await served.open(visit)
      assert.deepEqual(await within(client.closed, 'a close frame'), closed)
      assert.equal(served.sockets.length, handled)
      const stats = served.app.websocketLifecycle.stats()
      assert.deepEqual(stats.refused, refused({ [reason]: 1 }))
      assert.equal(stats.opened, handled)
      await assertNothingLeft(served)
    })
  }

  test('and its socket is gone after closeTimeout, where the client does not answer it', async (t) => {
    const served = await start(t, { route: { refuse: 'close-frame', closeTimeout: 500 } })
    const { stream } = await served.dial()
    const peer = await RawPeer.over(stream, served.nginx.port, '/', CROSS_SITE.headers)
    assert.equal((await within(peer.nextOf(OPCODE.close), 'a frame'))?.payload.readUInt16BE(), 3003)
    await served.clock.advance(600)
    await within(peer.ended(), 'the end of the TCP connection')
    await assertNothingLeft(served)
  })
})

describe('a refusal by a hook of the app', () => {
  test('reaches the client as it is', async (t) => {
    const served = await start(t, {
      routes: (app) =>
        void app.addHook('onRequest', async (_request, reply) =>
          reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who?' }),
        ),
    })
    const { status, headers, body } = await served.refusal()
    assert.deepEqual(
      [status, headers['www-authenticate'], body],
      [401, 'Bearer', '{"error":"who?"}'],
    )
    await assertNothingLeft(served)
  })
})

test('where nginx hands on no upgrades, the client gets a 404', async (t) => {
  const { app, port } = await serveOne(t)
  const nginx = await startNginx(t, `127.0.0.1:${port}`, HOST)
  const { status } = await refusal(`wss://127.0.0.1:${nginx.port}/`, { tls: { ca: cert } })
  assert.equal(status, 404)
  // A plain request is none that could be refused.
  assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
})
