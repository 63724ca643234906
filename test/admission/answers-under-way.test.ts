// Fastify answers, or tries to, and does not say so: one answer, no handler, no byte behind a 101.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type RouteShorthandOptions,
} from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { allRead } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { FOREIGN } from '../support/servers/refusing.js'
import { isSelective, withoutRequests } from '../support/servers/request-log.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { serverSockets } from '../support/servers/server-sockets.js'
import { assertAnswered, assertClosedAtOnce, Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly handled: () => number
}

async function start(
  t: TestContext,
  route: RouteShorthandOptions,
  hooks: (app: FastifyInstance) => void = () => {},
): Promise<Served> {
  let handled = 0
  const app = await serve(t, {
    options: { keepalive: false },
    routes: (app) => {
      hooks(app)
      app.get('/', { ...route, websocket: true }, () => void handled++)
    },
  })
  return { app, port: portOf(app), handled: () => handled }
}

const answer401 = async (_request: unknown, reply: FastifyReply): Promise<void> => {
  void reply.code(401).send('who?')
}

/** One that answers takes turns of the loop to do it, as with a compression or a session. */
const slowly = async (_request: unknown, _reply: unknown, payload: unknown): Promise<unknown> => {
  await turns(5)
  return payload
}

describe('a hook that answers, and does not return its reply', () => {
  for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    test(`as ${name} is the end of it, however long onSend hooks take`, async (t) => {
      const { app, port, handled } = await start(t, { [name]: answer401 }, (app) =>
        app.addHook('onSend', slowly),
      )
      await assertAnswered(await Stranger.dial(port), 401, /^who\?$/)
      assert.equal(handled(), 0)
      assert.equal(app.websocketLifecycle.stats().opened, 0)
    })
  }

  test('with an error is the end of it, however long onError hooks take', async (t) => {
    const { port, handled } = await start(
      t,
      {
        preHandler: async (_request, reply) => {
          void reply.code(403).send(new Error('not for you'))
        },
      },
      (app) => {
        app.addHook('onError', async () => {
          await turns(5)
        })
      },
    )
    await assertAnswered(await Stranger.dial(port), 403, /not for you/)
    assert.equal(handled(), 0)
  })
})

describe("Fastify's handlerTimeout", () => {
  const PENDING: Readonly<Record<string, (door: Gate) => RouteShorthandOptions>> = {
    'while expiresAt is asked': (door) => ({
      expiresAt: async () => {
        await door.opened
        return undefined
      },
    }),
    'while expiresAt is asked, which fails then': (door) => ({
      expiresAt: async () => {
        await door.opened
        throw new Error('too late')
      },
    }),
    'while the origin is judged': (door) => ({
      allowedOrigins: async () => {
        await door.opened
        return true
      },
    }),
    'while the origin is judged, which fails then': (door) => ({
      allowedOrigins: async () => {
        await door.opened
        throw new Error('too late')
      },
    }),
    'while the origin is judged, and refused by a close frame then': (door) => ({
      refuse: 'close-frame',
      allowedOrigins: async () => {
        await door.opened
        return false
      },
    }),
  }
  // There is one since 5.8.
  for (const [when, options] of isFastifySince('5.8.0') ? Object.entries(PENDING) : []) {
    test(`${when} is the one answer`, async (t) => {
      const door = gate()
      const headers = when.includes('origin') ? FOREIGN : {}
      const { app, port, handled } = await start(
        t,
        { ...options(door), handlerTimeout: 20 },
        (app) => {
          // The answer is on its way when the door opens.
          app.addHook('onSend', async (_request, _reply, payload: unknown) => {
            door.open()
            return slowly(_request, _reply, payload)
          })
        },
      )
      await assertAnswered(await Stranger.dial(port, '/', headers), 503)
      assert.equal(handled(), 0)
      assert.deepEqual(app.websocketLifecycle.stats().refused, refused())
    })
  }
})

test('a hook before the plugin that answers, and keeps its reply, writes nothing behind a 101', async (t) => {
  const answered = gate()
  const app = Fastify()
  endWith(t, app)
  app.addHook('onSend', slowly)
  app.addHook('onRequest', async (_request, reply) => {
    void reply.code(401).send('who?')
    reply.raw.once('close', () => answered.open())
  })
  await app.register(websocketLifecycle)
  app.get('/', { websocket: true }, (socket) => socket.close(4000))
  await app.listen({ host: '127.0.0.1', port: 0 })
  await assertClosedAtOnce(await Stranger.dial(portOf(app)), 4000)
  await answered.opened
})

test('a reset of a handshake behind an unanswered request, while draining, harms nobody', async (t) => {
  const arrived = gate()
  const app = await serve(t, {
    routes: (app) => {
      app.get('/slow', async () => {
        arrived.open()
        return never
      })
      app.get('/', { websocket: true }, () => {})
    },
  })
  const sockets = serverSockets(app)
  await app.websocketLifecycle.drain()
  const port = portOf(app)
  const request = RawPeer.handshake(port, '/slow').replace(
    'connection: Upgrade\r\nupgrade: websocket\r\n',
    '',
  )
  const peer = await RawPeer.dialWith(port, request, RawPeer.handshake(port, '/'))
  await arrived.opened
  const [socket] = sockets
  await allRead(peer.socket, socket)
  await turns()
  peer.reset()
  await until(() => sockets.size === 0)
})

test('an app that has taken the response off the socket can refuse all the same', async (t) => {
  const { port } = await start(t, {
    preHandler: async (request, reply) => {
      reply.raw.detachSocket(request.raw.socket)
      return reply.refuseWebsocket()
    },
  })
  await assertClosedAtOnce(await Stranger.dial(port), 3000)
})

test('what waits for the close of the response hears of it after a refusal by a close frame', async (t) => {
  let closes = 0
  const { port } = await start(t, {
    preHandler: async (_request, reply) => {
      reply.raw.once('close', () => closes++)
      return reply.refuseWebsocket()
    },
  })
  await assertClosedAtOnce(await Stranger.dial(port), 3000)
  await until(() => closes === 1)
})

test('where Fastify leaves upgrades out of its log, a flood of refusals leaves ten lines', async (t) => {
  const { lines, fastify } = logLines()
  const app = await serve(t, {
    clock: new FakeClock(),
    fastify: { ...fastify, ...withoutRequests(({ headers }) => headers.upgrade !== undefined) },
    options: { maxConnections: 0 },
    routes: (app) => void app.get('/', { websocket: true }, () => {}),
  })
  const before = lines.length
  for (let i = 0; i < 30; i++) await assertAnswered(await Stranger.dial(portOf(app)), 503)
  assert.equal(lines.length - before, 10)
  assert.equal((await app.inject('/nowhere')).statusCode, 404)
  assert.equal(lines.length - before > 10, isSelective)
})

test('clients without an address, behind a Unix socket, are one client', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'socket')
  const app = Fastify()
  endWith(t, app)
  await app.register(websocketLifecycle, { maxConnectionsPerKey: { max: 1 } })
  app.get('/', { websocket: true }, () => {})
  await app.listen({ path })
  const first = await connect(app)
  assert.equal((await refusal(app)).status, 429)
  await first.close()
  await until(() => app.websocketLifecycle.stats().open === 0)
  await connect(app)
})
