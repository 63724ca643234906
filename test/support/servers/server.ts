import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { CloseInfo, LifecycleSocket, RouteLifecycleOptions } from '../../../lib/index.js'
import type { WebsocketLifecycleOptions } from '../../../lib/index.js'
import { type Clock, systemClock } from '../../../lib/time/clock.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import { endWith, portOf } from './app.js'
import { RawPeer } from '../peers/raw-peer.js'

export { endWith, portOf }

export interface Setup {
  readonly options?: WebsocketLifecycleOptions
  readonly fastify?: FastifyServerOptions
  readonly clock?: Clock
  /** Adds whatever is to come before the plugin. */
  readonly before?: (app: FastifyInstance) => unknown
  /** Adds routes, and whatever else, after the plugin. */
  readonly routes?: (app: FastifyInstance) => void
}

/** An app that listens on loopback, with the plugin; closed when the test is over. */
export async function serve(t: TestContext, setup: Setup): Promise<FastifyInstance> {
  // A copy: Fastify 5.0 writes its logger into what it is given, and takes none that has one.
  const app = Fastify({ ...setup.fastify })
  endWith(t, app, setup.clock)
  await setup.before?.(app)
  await app.register(createPlugin(setup.clock ?? systemClock), setup.options ?? {})
  setup.routes?.(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

export interface OneRoute extends Setup {
  readonly route?: RouteLifecycleOptions
  readonly handler?: (socket: LifecycleSocket) => unknown
}

/** What one connection of {@link serveOne} showed. */
export interface Observed {
  readonly app: FastifyInstance
  readonly port: number
  /** Resolves with the next socket that a handler gets. */
  readonly nextSocket: () => Promise<LifecycleSocket>
  /** What happened, in order: `abort`, `unexpected`, `close`, `release`. */
  readonly events: string[]
  /** The record that `onClose` got. */
  readonly closes: CloseInfo[]
}

/** An app with one route, `/`, that notes all that happens at the end of its connections. */
export async function serveOne(t: TestContext, setup: OneRoute = {}): Promise<Observed> {
  const events: string[] = []
  const closes: CloseInfo[] = []
  const waiting: Array<(socket: LifecycleSocket) => void> = []
  const arrived: LifecycleSocket[] = []
  const app = await serve(t, {
    ...setup,
    routes: (instance) => {
      instance.get(
        '/',
        {
          websocket: true,
          onUnexpectedClose: () => {
            events.push('unexpected')
          },
          onClose: (_socket, _request, close) => {
            events.push('close')
            closes.push(close)
          },
          ...setup.route,
        },
        (socket) => {
          socket.scope.signal.addEventListener('abort', () => events.push('abort'))
          socket.scope.defer(() => events.push('release'))
          const wanted = waiting.shift()
          if (wanted === undefined) arrived.push(socket)
          else wanted(socket)
          return setup.handler?.(socket)
        },
      )
      setup.routes?.(instance)
    },
  })
  return {
    app,
    port: portOf(app),
    events,
    closes,
    nextSocket: async () => arrived.shift() ?? new Promise((resolve) => waiting.push(resolve)),
  }
}

/** One connection of an app of one route, from both sides. */
export interface Connected extends Observed {
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
}

/** Serves one route, and opens one connection to it. */
export async function connectOne(
  t: TestContext,
  setup: OneRoute = {},
  headers: Record<string, string> = {},
): Promise<Connected> {
  const observed = await serveOne(t, setup)
  const peer = await RawPeer.open(observed.port, '/', headers)
  return { ...observed, peer, socket: await observed.nextSocket() }
}
