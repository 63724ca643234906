import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import type {
  LifecycleSocket,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'

export interface KitSetup {
  readonly fastify?: FastifyServerOptions
  readonly options?: WebsocketLifecycleOptions
  readonly before?: (app: FastifyInstance) => void
  readonly route?: RouteLifecycleOptions
  readonly handler?: (socket: LifecycleSocket) => unknown
}

/** An app as a user's tests have it: nobody listens yet, and its route `/` echoes. Closed when the test is over. */
export async function kitApp(t: TestContext, setup: KitSetup = {}): Promise<FastifyInstance> {
  const app = Fastify({ ...setup.fastify })
  t.after(() => app.close())
  setup.before?.(app)
  await app.register(createPlugin(), setup.options ?? {})
  app.get(
    '/',
    {
      websocket: true,
      onMessage: (socket, _request, message) => void socket.send(message),
      ...setup.route,
    },
    (socket) => setup.handler?.(socket),
  )
  return app
}

/** The one socket of the server. */
export function theSocket(app: FastifyInstance): LifecycleSocket {
  const [socket] = app.websocketLifecycle.connections
  if (socket === undefined) throw new Error('Expected a connection')
  return socket
}
