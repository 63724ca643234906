// Every function that the app gives for an upgrade, with everything that JavaScript lets it throw: the process
// lives, the peer gets an answer, and nothing is left behind.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { ODD_ENDS, ODD_VALUES, watchProcess } from '../support/models/odd-values.js'
import { FOREIGN } from '../support/servers/refusing.js'
import { portOf, serve } from '../support/servers/server.js'
import { Stranger } from '../support/peers/stranger.js'

type Fault = (request: FastifyRequest) => unknown

/** Where a function of the app stands, and the status of the answer where it is ours to say. */
interface OddPlace {
  readonly options: (fault: Fault) => RouteLifecycleOptions & RouteShorthandOptions
  readonly status?: number
}

const PLACES: Readonly<Record<string, OddPlace>> = {
  allowedOrigins: {
    options: (fault) => ({ allowedOrigins: (_origin, request) => fault(request) as boolean }),
    status: 500,
  },
  expiresAt: {
    options: (fault) => ({ expiresAt: (request) => fault(request) as Date }),
    status: 500,
  },
  'maxConnectionsPerKey.key': {
    options: (fault) => ({
      maxConnectionsPerKey: { max: 5, key: (request) => fault(request) as string },
    }),
    status: 500,
  },
  ...Object.fromEntries(
    ['onRequest', 'preParsing', 'preValidation', 'preHandler'].map((hook): [string, OddPlace] => [
      `a hook (${hook})`,
      { options: (fault) => ({ [hook]: async (request: FastifyRequest) => fault(request) }) },
    ]),
  ),
  'a release of an upgrade that never opened': {
    options: (fault) => ({
      preHandler: async (request, reply) => {
        request.wsScope?.defer(() => fault(request))
        return reply.code(401).send('who are you')
      },
    }),
    status: 401,
  },
  'a resource of an upgrade that never opened': {
    options: (fault) => ({
      preHandler: async (request, reply) => {
        const resource = { [Symbol.asyncDispose]: () => fault(request) }
        request.wsScope?.use(resource as AsyncDisposable)
        return reply.code(401).send('who are you')
      },
    }),
    status: 401,
  },
  'a late release of an upgrade that never opened': {
    options: (fault) => ({
      preHandler: async (request, reply) => {
        const { wsScope: scope } = request
        request.raw.socket.once('close', () => {
          setImmediate(() => scope?.defer(() => fault(request)))
        })
        return reply.code(401).send('who are you')
      },
    }),
    status: 401,
  },
}

/** Before 5.5 Fastify asks of all that a hook throws whether it is an Error, and fails itself where that throws. */
function isFatal(where: string, name: string): boolean {
  if (isFastifySince('5.5.0') || !where.startsWith('a hook')) return false
  try {
    void (ODD_VALUES[name]?.() instanceof Error)
    return false
  } catch {
    return true
  }
}

const nameOf = ({ headers }: FastifyRequest): string => String(headers['x-odd'])

for (const [where, { options, status }] of Object.entries(PLACES)) {
  describe(where, () => {
    for (const [how, end] of Object.entries(ODD_ENDS)) {
      const isFine = how === 'that returns'
      const fault: Fault = (request) => end(ODD_VALUES[nameOf(request)]?.())
      test(`${how} any odd value harms its upgrade at most, which is answered`, async (t) => {
        const assertQuiet = watchProcess(t)
        const releases = new Map<string, number>()
        const app = await serve(t, {
          options: { allowedOrigins: '*' },
          fastify: { logger: { level: 'trace', stream: { write: () => {} } } },
          before: (app) => {
            app.addHook('onRequest', async (request) => {
              const name = nameOf(request)
              request.wsScope?.defer(() => releases.set(name, (releases.get(name) ?? 0) + 1))
            })
          },
          routes: (app) => {
            app.get('/', { websocket: true, ...options(fault) }, () => {})
          },
        })
        const names = Object.keys(ODD_VALUES).filter((name) => isFine || !isFatal(where, name))
        const ask = async (name: string): Promise<[name: string, status: number]> => {
          const stranger = await Stranger.dial(portOf(app), '/', { ...FOREIGN, 'x-odd': name })
          const head = await stranger.head()
          stranger.peer.destroy()
          return [name, Number(/^HTTP\/1\.1 (\d+) /.exec(head)?.[1])]
        }
        for (const [name, answered] of await Promise.all(names.map(ask))) {
          assert.deepEqual([name, answered], [name, isFine ? answered : (status ?? answered)])
          assert.ok(answered > 0, name)
        }
        await within(app.close(), 'the end of the app')
        assert.deepEqual(releases, new Map(names.map((name) => [name, 1])))
        assertQuiet()
      })
    }
  })
}
