import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  LifecycleOptions,
  LifecycleSocket,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { Rival, type RivalSetup } from '../models/rival.js'
import { portOf, serve } from './server.js'
import { until } from '../time/timed.js'

export interface ReplacingSetup {
  readonly max?: number
  readonly options?: WebsocketLifecycleOptions
  readonly route?: LifecycleOptions
  readonly key?: (request: FastifyRequest) => string | undefined
  /** Adds hooks before the route `/`. */
  readonly routes?: (app: FastifyInstance) => unknown
  readonly handler?: (socket: LifecycleSocket, request: FastifyRequest) => unknown
}

export interface Replacing {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly closes: CloseInfo[]
  readonly dial: (setup?: RivalSetup) => Promise<Rival>
  /** Somebody who is let in. */
  readonly enter: (setup?: RivalSetup) => Promise<Rival>
  /** Who wants in, and has been heard by the server, but waits. */
  readonly wait: (setup?: RivalSetup) => Promise<Rival>
}

/** An app with the route `/`, and at most one of a key there. */
export async function serveReplacing(
  t: TestContext,
  setup: ReplacingSetup = {},
): Promise<Replacing> {
  const clock = new FakeClock()
  const closes: CloseInfo[] = []
  let heard = 0
  const { max = 1, key = ({ headers }) => String(headers['x-key']) } = setup
  const app = await serve(t, {
    clock,
    options: {
      keepalive: false,
      maxConnectionsPerKey: { max, key, whenFull: 'replace' },
      onClose: (_socket, _request, close) => void closes.push(close),
      ...setup.options,
    },
    routes: (app) => {
      app.addHook('onRequest', (_request, _reply, done) => {
        heard++
        done()
      })
      setup.routes?.(app)
      app.get('/', { websocket: true, ...setup.route }, (socket, request) => {
        socket.send('open')
        return setup.handler?.(socket, request)
      })
    },
  })
  const port = portOf(app)
  const dial = async (setup?: RivalSetup): Promise<Rival> => Rival.dial(port, setup)
  return {
    app,
    clock,
    port,
    closes,
    dial,
    enter: async (setup) => {
      const rival = await dial(setup)
      await until(() => rival.told.length > 0)
      assert.deepEqual(rival.told, ['open'])
      return rival
    },
    wait: async (setup) => {
      const before = heard
      const rival = await dial(setup)
      await until(() => heard > before)
      // Whatever it waits for, it does not come.
      await turns(12)
      assert.deepEqual(rival.told, [])
      return rival
    },
  }
}

/** There is room for so many as there should be, and for no more. */
export async function assertRoom(
  { app, clock, dial, enter }: Replacing,
  room: number,
): Promise<void> {
  for (let i = 0; i < room; i++) await enter()
  assert.equal(app.websocketLifecycle.connections.size, room)
  const { replaced } = app.websocketLifecycle.stats().closed
  await dial()
  await until(() => app.websocketLifecycle.stats().closed.replaced === replaced + 1)
  await clock.advance(1)
}
