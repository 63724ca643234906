// What else may happen to an upgrade that a hook refuses: before it does, meanwhile, and after.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type {
  LifecycleOptions,
  RefusalReason,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { serverSockets } from '../support/servers/server-sockets.js'
import {
  assertAnswered,
  assertClosedAtOnce,
  assertTurnedAway,
  Stranger,
} from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly events: string[]
  /** The server's side of the connections. */
  readonly sockets: ReadonlySet<Socket>
  /** Opens when the hook has begun. */
  readonly began: Gate
}

interface Setup {
  readonly options?: WebsocketLifecycleOptions
  readonly route?: RouteLifecycleOptions
  /** The hook; by default it refuses at once. */
  readonly hook?: (reply: FastifyReply) => unknown
  readonly isEarly?: boolean
  readonly routes?: (app: FastifyInstance) => void
}

async function serveHook(t: TestContext, setup: Setup = {}): Promise<Served> {
  const clock = new FakeClock()
  const events: string[] = []
  const began = gate()
  const { hook = (reply: FastifyReply) => reply.refuseWebsocket() } = setup
  const addHooks = (app: FastifyInstance): void => {
    app.addHook('onRequest', async ({ wsScope, headers }, reply) => {
      wsScope?.signal.addEventListener('abort', () => events.push('abort'))
      wsScope?.defer(() => events.push('release'))
      began.open()
      return headers['x-welcome'] === 'yes' ? undefined : hook(reply)
    })
  }
  const app = await serve(t, {
    clock,
    options: { keepalive: false, closeTimeout: 1_000, ...setup.options },
    ...(setup.isEarly && { before: addHooks }),
    routes: (app) => {
      if (!setup.isEarly) addHooks(app)
      setup.routes?.(app)
      const options = { websocket: true as const, onClose: () => events.push('onClose') }
      app.get('/ws', { ...options, ...setup.route }, () => {
        events.push('handler')
      })
      app.get('/http', async () => 'http')
    },
  })
  return { app, clock, port: portOf(app), events, sockets: serverSockets(app), began }
}

async function assertNothingLeft(
  { app, clock, events, sockets }: Served,
  counts: Partial<Record<RefusalReason, number>>,
): Promise<void> {
  await until(() => events.includes('release') && sockets.size === 0 && clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, ['abort', 'release'])
  const { refused: counted, open, opened } = app.websocketLifecycle.stats()
  assert.deepEqual({ counted, open, opened }, { counted: refused(counts), open: 0, opened: 0 })
  assert.equal(app.websocketServer.clients.size, 0)
}

describe('a peer that does not answer its refusal', () => {
  const SETUPS: ReadonlyArray<[title: string, setup: Setup, closeTimeout: number]> = [
    ['after closeTimeout', {}, 1_000],
    ["after the route's closeTimeout", { route: { closeTimeout: 4_000 } }, 4_000],
    ['after closeTimeout, without handshakeTimeout', { route: { handshakeTimeout: false } }, 1_000],
    ['though handshakeTimeout is shorter', { route: { handshakeTimeout: 100 } }, 1_000],
    ['after closeTimeout, for a hook before the plugin', { isEarly: true }, 1_000],
    [
      "after the route's closeTimeout, for a hook before the plugin",
      { isEarly: true, route: { closeTimeout: 500 } },
      500,
    ],
  ]
  for (const [title, setup, closeTimeout] of SETUPS) {
    test(`is cut off ${title}, and not before`, async (t) => {
      const served = await serveHook(t, setup)
      const stranger = await Stranger.dial(served.port, '/ws')
      await assertTurnedAway(stranger, 3000)
      await served.clock.advance(closeTimeout - 20)
      assert.equal(stranger.peer.hasEnded, false)
      assert.deepEqual(served.events, [])
      await served.clock.advance(20 + closeTimeout / 5)
      await within(stranger.peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, { hook: 1 })
    })
  }

  test('does not hold up a drain for longer than that', async (t) => {
    const served = await serveHook(t)
    const stranger = await Stranger.dial(served.port, '/ws')
    await assertTurnedAway(stranger, 3000)
    const draining = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_200)
    const { closed, terminated, abandoned } = await within(draining, 'the drain')
    assert.deepEqual({ closed, terminated, abandoned }, { closed: 0, terminated: 0, abandoned: [] })
    await assertNothingLeft(served, { hook: 1 })
  })

  test('ends with the drain, if that is over sooner', async (t) => {
    const served = await serveHook(t, {
      options: { drain: { timeout: 2_000 } },
      route: { closeTimeout: 60_000 },
    })
    const stranger = await Stranger.dial(served.port, '/ws')
    await assertTurnedAway(stranger, 3000)
    const closing = served.app.close()
    await until(() => served.app.websocketLifecycle.draining)
    await served.clock.advance(1_900)
    assert.equal(served.sockets.size, 1)
    await served.clock.advance(100)
    await within(closing, 'app.close()')
    await assertNothingLeft(served, { hook: 1 })
  })

  test('holds no place: whoever is welcome gets in meanwhile', async (t) => {
    const limits: LifecycleOptions = { maxConnections: 1, maxConnectionsPerKey: { max: 1 } }
    const served = await serveHook(t, { options: limits, route: limits })
    for (let i = 0; i < 20; i++) {
      await assertTurnedAway(await Stranger.dial(served.port, '/ws'), 3000)
    }
    assert.equal(served.sockets.size, 20)
    await connect(served.app, '/ws', { headers: { 'x-welcome': 'yes' } })
    assert.deepEqual(served.events, ['handler'])
    assert.equal(served.app.websocketLifecycle.connections.size, 1)
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ hook: 20 }))
    await served.clock.advance(1_200)
    await until(() => served.sockets.size === 1)
  })
})

describe('a second refusal', () => {
  const SECONDS: Readonly<Record<string, (reply: FastifyReply) => unknown>> = {
    'in the same turn': (reply) => reply.refuseWebsocket(4001).refuseWebsocket(4002, 'again'),
    'in a later turn': async (reply) => {
      reply.refuseWebsocket(4001)
      await turns(3)
      return reply.refuseWebsocket(4002, 'again')
    },
    'after an answer that came to nothing': async (reply) => {
      await reply.refuseWebsocket(4001).code(401).send('who?')
      return reply.refuseWebsocket(4002, 'again')
    },
  }
  for (const [title, hook] of Object.entries(SECONDS)) {
    test(`${title} does nothing`, async (t) => {
      const failures: unknown[] = []
      const served = await serveHook(t, {
        hook: async (reply) => {
          try {
            await hook(reply)
          } catch (error) {
            failures.push(error)
          }
        },
      })
      await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4001)
      await assertNothingLeft(served, { hook: 1 })
      assert.deepEqual(failures, [])
    })
  }

  test('when all is over does nothing', async (t) => {
    const replies: FastifyReply[] = []
    const served = await serveHook(t, {
      hook: (reply) => {
        replies.push(reply)
        return reply.refuseWebsocket(4001)
      },
    })
    await assertClosedAtOnce(await Stranger.dial(served.port, '/ws'), 4001)
    await assertNothingLeft(served, { hook: 1 })
    for (const reply of replies) assert.equal(reply.refuseWebsocket(4002), reply)
    await assertNothingLeft(served, { hook: 1 })
  })
})

/** A hook that refuses when the gate opens, and tells what came of it. */
function late(results: unknown[]): Late {
  const slow = gate()
  const hook = async (reply: FastifyReply): Promise<void> => {
    await slow.opened
    try {
      results.push(reply.refuseWebsocket() === reply)
    } catch (error) {
      results.push(error)
    }
  }
  return { slow, hook }
}

interface Late {
  readonly slow: Gate
  readonly hook: (reply: FastifyReply) => Promise<void>
}

for (const isEarly of [false, true]) {
  describe(`a refusal, by a hook ${isEarly ? 'before' : 'behind'} the plugin, when the upgrade is over`, () => {
    for (const [how, leave] of [
      ['by a reset', (peer: RawPeer) => peer.reset()],
      ['by a FIN', (peer: RawPeer) => peer.finish()],
    ] as const) {
      test(`because the peer left ${how}, does nothing and counts nothing`, async (t) => {
        const results: unknown[] = []
        const { slow, hook } = late(results)
        const served = await serveHook(t, { hook, isEarly })
        const stranger = await Stranger.dial(served.port, '/ws')
        await served.began.opened
        leave(stranger.peer)
        await until(() => served.sockets.size === 0)
        slow.open()
        await until(() => results.length > 0)
        assert.deepEqual(results, [true])
        assert.equal(stranger.bytes, '')
        await assertNothingLeft(served, {})
      })
    }

    test(`by handshakeTimeout, does nothing: the 503 is all that the peer gets`, async (t) => {
      const results: unknown[] = []
      const { slow, hook } = late(results)
      const served = await serveHook(t, { hook, isEarly, options: { handshakeTimeout: 500 } })
      const stranger = await Stranger.dial(served.port, '/ws')
      await served.began.opened
      await served.clock.advance(600)
      slow.open()
      await until(() => results.length > 0)
      assert.deepEqual(results, [true])
      await assertAnswered(stranger, 503, /HANDSHAKE_TIMEOUT/)
      await assertNothingLeft(served, { handshake: 1 })
    })

    test(`because the drain began, does nothing: the 503 is all that the peer gets`, async (t) => {
      const results: unknown[] = []
      const { slow, hook } = late(results)
      const served = await serveHook(t, { hook, isEarly })
      const stranger = await Stranger.dial(served.port, '/ws')
      await served.began.opened
      const draining = served.app.websocketLifecycle.drain()
      slow.open()
      await until(() => results.length > 0)
      assert.deepEqual(results, [true])
      await assertAnswered(stranger, 503, /DRAINING/)
      await within(draining, 'the drain')
      await assertNothingLeft(served, { draining: 1 })
    })
  })
}

describe('what a hook gave to the scope before it refused', () => {
  test('is released when the socket is gone; what it gives afterwards is too, or at once', async (t) => {
    const replies: FastifyReply[] = []
    const served = await serveHook(t, {
      hook: (reply) => {
        replies.push(reply)
        reply.refuseWebsocket()
        reply.request.wsScope?.defer(() => served.events.push('release of afterwards'))
        return reply
      },
    })
    const stranger = await Stranger.dial(served.port, '/ws')
    await assertTurnedAway(stranger, 3000)
    assert.deepEqual(served.events, [])
    stranger.peer.send(RawPeer.closeFrame(3000))
    await stranger.all()
    await until(() => served.clock.pending === 0)
    assert.deepEqual(served.events, ['abort', 'release of afterwards', 'release'])
    const scope = replies[0]?.request.wsScope
    assert.equal(scope?.signal.aborted, true)
    assert.equal(scope?.signal.reason.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
    scope?.defer(() => served.events.push('release of when it was over'))
    assert.equal(served.events.at(-1), 'release of when it was over')
  })
})

describe('a refusal', () => {
  test('lets the response say that it has closed, once, when the socket has', async (t) => {
    const closes: number[] = []
    const served = await serveHook(t, {
      hook: (reply) => {
        reply.raw.on('close', () => closes.push(served.sockets.size))
        return reply.refuseWebsocket()
      },
    })
    const stranger = await Stranger.dial(served.port, '/ws')
    await assertTurnedAway(stranger, 3000)
    assert.deepEqual(closes, [])
    stranger.peer.send(RawPeer.closeFrame(3000))
    await assertNothingLeft(served, { hook: 1 })
    assert.equal(closes.length, 1)
  })

  test('can come from a hook of the root, where the plugin is in a child', async (t) => {
    const app = Fastify()
    endWith(t, app)
    app.addHook('onRequest', async (_request, reply) => reply.refuseWebsocket?.(4001))
    app.get('/outside', async () => 'outside')
    void app.register(async (child) => {
      await child.register(createPlugin())
      child.get('/ws', { websocket: true }, () => {})
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    await assertClosedAtOnce(await Stranger.dial(portOf(app), '/ws'), 4001)
    assert.equal((await app.inject('/outside')).body, 'outside')
    assert.equal((await app.inject('/ws')).statusCode, 400)
  })
})

describe('an upgrade that a hook of every request refuses', () => {
  test('and that asks for what is no WebSocket route gets its 404', async (t) => {
    const served = await serveHook(t)
    await assertAnswered(await Stranger.dial(served.port, '/http'), 404, /NOT_A_WEBSOCKET_ROUTE/)
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ route: 1 }))
    assert.deepEqual(served.events, [])
  })

  test('and that asks for nothing that there is, is closed all the same', async (t) => {
    const served = await serveHook(t)
    await assertClosedAtOnce(await Stranger.dial(served.port, '/nowhere'), 3000)
    await assertNothingLeft(served, { hook: 1 })
  })

  const CALLBACKS: Readonly<Record<string, (app: FastifyInstance) => void>> = {
    'an onRequest hook with a callback': (app) => {
      app.addHook('onRequest', (_request, reply, _done) => void reply.refuseWebsocket())
    },
    'a preParsing hook with a callback': (app) => {
      app.addHook('preParsing', (_request, reply, _payload, _done) => void reply.refuseWebsocket())
    },
    'a preValidation hook': (app) => {
      app.addHook('preValidation', async (_request, reply) => reply.refuseWebsocket())
    },
    'a preHandler hook': (app) => {
      app.addHook('preHandler', async (_request, reply) => void reply.refuseWebsocket())
    },
    'a hook of the not-found handler': (app) => {
      const hooks = {
        preHandler: async (_request: unknown, reply: FastifyReply) => reply.refuseWebsocket(),
      }
      app.setNotFoundHandler(hooks, async () => 'nothing there')
    },
    'the not-found handler': (app) => {
      app.setNotFoundHandler(async (_request, reply) => reply.refuseWebsocket())
    },
  }
  for (const [who, routes] of Object.entries(CALLBACKS)) {
    test(`and that asks for nothing that there is, is closed by ${who}`, async (t) => {
      const served = await serveHook(t, { hook: () => undefined, routes })
      await assertClosedAtOnce(await Stranger.dial(served.port, '/nowhere'), 3000)
      await assertNothingLeft(served, { hook: 1 })
    })
  }

  for (const path of ['/http', '/nowhere', '/ws']) {
    test(`and that asks for ${path} is closed, where the hook was added before the plugin`, async (t) => {
      const served = await serveHook(t, { isEarly: true })
      await assertClosedAtOnce(await Stranger.dial(served.port, path), 3000)
      await assertNothingLeft(served, { hook: 1 })
    })
  }
})
