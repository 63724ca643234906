// reply.refuseWebsocket() from each hook, in each style and at each level.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, onRequestHookHandler, RouteOptions } from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { assertClosedAtOnce, Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
type HookName = (typeof HOOKS)[number]

type Done = (error?: Error) => void

interface Way {
  readonly callback?: (reply: FastifyReply, done: Done) => void
  readonly sync?: (reply: FastifyReply) => FastifyReply
  readonly async?: (reply: FastifyReply) => Promise<unknown>
}

const no = new Error('of the hook')

/** In which styles a hook can be written, right and wrong. */
const WAYS: Readonly<Record<string, Way>> = {
  'that has a callback': { callback: (reply) => void reply.refuseWebsocket() },
  'that has a callback, and refuses later': {
    callback: (reply) => void setImmediate(() => reply.refuseWebsocket()),
  },
  'that calls its callback all the same': {
    callback: (reply, done) => {
      reply.refuseWebsocket()
      done()
    },
  },
  'that calls its callback all the same, later': {
    callback: (reply, done) => {
      reply.refuseWebsocket()
      setImmediate(done)
    },
  },
  'that calls its callback with an error': {
    callback: (reply, done) => {
      reply.refuseWebsocket()
      done(no)
    },
  },
  'that has a callback, and throws afterwards': {
    callback: (reply) => {
      reply.refuseWebsocket()
      throw no
    },
  },
  'that is not async, and returns the reply': { sync: (reply) => reply.refuseWebsocket() },
  'that is async, and returns the reply': { async: async (reply) => reply.refuseWebsocket() },
  'that is async, and awaits the reply': {
    async: async (reply) => {
      await reply.refuseWebsocket()
    },
  },
  'that is async, and returns nothing': {
    async: async (reply) => {
      reply.refuseWebsocket()
    },
  },
  'that is async, and refuses later': {
    async: async (reply) => {
      await turns(1)
      return reply.refuseWebsocket()
    },
  },
  'that is async, and throws afterwards': {
    async: async (reply) => {
      reply.refuseWebsocket()
      throw no
    },
  },
  'that is async, and then answers by HTTP': {
    async: async (reply) => {
      reply.refuseWebsocket()
      return reply.code(401).send('who?')
    },
  },
}

/** As Fastify wants it: it tells the styles and the hooks apart by how many arguments there are. */
function hookOf(name: HookName, { callback, sync, async: run }: Way): onRequestHookHandler {
  const promise = sync ?? (async (reply: FastifyReply) => run?.(reply))
  const hook =
    callback === undefined
      ? (_request: unknown, reply: FastifyReply) => promise(reply)
      : name === 'preParsing'
        ? (_request: unknown, reply: FastifyReply, _payload: unknown, done: Done) =>
            callback(reply, done)
        : (_request: unknown, reply: FastifyReply, done: Done) => callback(reply, done)
  return hook as onRequestHookHandler
}

function addHook(app: FastifyInstance, name: HookName, hook: onRequestHookHandler): void {
  app.addHook(name as 'onRequest', hook)
}

interface Level {
  readonly before?: (app: FastifyInstance, name: HookName, hook: onRequestHookHandler) => void
  readonly after?: (app: FastifyInstance, name: HookName, hook: onRequestHookHandler) => void
  readonly route?: (name: HookName, hook: onRequestHookHandler) => Partial<RouteOptions>
}

/** Where a hook can be added. */
const LEVELS: Readonly<Record<string, Level>> = {
  'before the plugin': { before: addHook },
  'of the instance': { after: addHook },
  'of the route': { route: (name, hook) => ({ [name]: hook }) },
  'of the route, one of several': {
    route: (name, hook) => ({ [name]: [async () => {}, hook, hook] }),
  },
}

interface Served {
  readonly app: FastifyInstance
  readonly port: number
  readonly clock: FakeClock
  readonly events: string[]
}

/** An app in whose one route a hook refuses; all that must not run after it tells. */
async function serveRefusing(
  t: TestContext,
  level: Level,
  name: HookName,
  hook: onRequestHookHandler,
): Promise<Served> {
  const clock = new FakeClock()
  const events: string[] = []
  const note = (event: string) => async () => void events.push(event)
  const app = await serve(t, {
    clock,
    options: { keepalive: false },
    before: (app) => {
      app.addHook('onRequest', async ({ wsScope }) => {
        wsScope?.signal.addEventListener('abort', () => events.push('abort'))
        wsScope?.defer(() => events.push('release'))
      })
      level.before?.(app, name, hook)
    },
    routes: (parent) => {
      void parent.register(async (app) => {
        level.after?.(app, name, hook)
        for (const later of HOOKS.slice(HOOKS.indexOf(name) + 1)) {
          addHook(app, later, note(later))
        }
        for (const late of ['onSend', 'onError', 'onResponse'] as const) {
          app.addHook(late as 'onResponse', note(late))
        }
        app.setErrorHandler(note('error handler'))
        const ours = { onClose: note('onClose'), onHandlerError: note('onHandlerError') }
        const options = { websocket: true as const, ...ours, ...level.route?.(name, hook) }
        app.get('/ws', options as { websocket: true }, (_socket: LifecycleSocket) => {
          events.push('handler')
        })
      })
    },
  })
  return { app, port: portOf(app), clock, events }
}

async function assertOnlyRefused({ app, clock, events }: Served, hook = 1): Promise<void> {
  await until(() => events.includes('release') && clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, ['abort', 'release'])
  const stats = app.websocketLifecycle.stats()
  assert.deepEqual(stats.refused, refused({ hook }))
  assert.equal(stats.opened, 0)
  assert.equal(stats.open, 0)
  assert.equal(app.websocketLifecycle.connections.size, 0)
  assert.equal(app.websocketServer.clients.size, 0)
  assert.equal(clock.pending, 0)
}

for (const [where, level] of Object.entries(LEVELS)) {
  for (const name of HOOKS) {
    describe(`an ${name} hook ${where}`, () => {
      for (const [how, way] of Object.entries(WAYS)) {
        test(`${how}: a 101, a close frame, and nothing else runs`, async (t) => {
          const served = await serveRefusing(t, level, name, hookOf(name, way))
          const stranger = await Stranger.dial(served.port, '/ws')
          await assertClosedAtOnce(stranger, 3000)
          await assertOnlyRefused(served)
        })
      }
    })
  }
}

describe('a refusal by a hook', () => {
  test('is what the page of a browser sees: it opens, and closes with code and reason', async (t) => {
    const hook = hookOf('onRequest', {
      async: async (reply) => reply.refuseWebsocket(4001, 'sign in'),
    })
    const served = await serveRefusing(t, { after: addHook }, 'onRequest', hook)
    const client = await connect(`ws://127.0.0.1:${served.port}/ws`)
    assert.deepEqual(await untilEnd(client), ['close 4001 sign in'])
    await assertOnlyRefused(served)
  })

  test('through injectWS closes too, and is over at once: the clock does not have to move', async (t) => {
    const hook = hookOf('preHandler', {
      async: async (reply) => reply.refuseWebsocket(4001, 'sign in'),
    })
    const served = await serveRefusing(t, { after: addHook }, 'preHandler', hook)
    const socket = await served.app.injectWS('/ws')
    const [code, reason] = await new Promise<[number, Buffer]>((resolve) => {
      socket.on('close', (...frame: [number, Buffer]) => resolve(frame))
    })
    assert.equal(code, 4001)
    assert.equal(reason.toString(), 'sign in')
    await assertOnlyRefused(served)
  })

  test('can be another for each of many that come at once', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        app.get<{ Params: { code: string } }>(
          '/:code',
          {
            websocket: true,
            preHandler: async ({ params }, reply) => {
              await turns(1)
              return reply.refuseWebsocket(Number(params.code), `for ${params.code}`)
            },
          },
          () => {},
        )
      },
    })
    const codes = Array.from({ length: 100 }, (_, i) => 4000 + i)
    const clients = await Promise.all(codes.map(async (code) => connect(app, `/${code}`)))
    for (const [i, client] of clients.entries()) {
      assert.deepEqual(await untilEnd(client), [`close ${codes[i]} for ${codes[i]}`])
    }
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ hook: 100 }))
  })
})
