import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import websocketLifecycle, { type WebsocketLifecycleOptions } from 'fastify-websocket-lifecycle'
import {
  websocketDashboard,
  type WebsocketDashboardOptions,
} from 'fastify-websocket-lifecycle/dashboard'
import { freePort } from '../../../examples/cluster/free-port.js'
import type { Peer } from '../../../lib/testing/index.js'
import { reach } from '../../support/peers/heard.js'

export interface DashboardOptions {
  readonly fastify?: FastifyServerOptions
  readonly plugin?: WebsocketLifecycleOptions
  readonly authorize?: WebsocketDashboardOptions['authorize']
  /** Adds more routes than `/chat`, which does nothing. */
  readonly routes?: (app: FastifyInstance) => void
}

/** A server with our plugin and its page at `/admin/`; it can come back on the same port. */
export class DashboardServer {
  readonly #options: DashboardOptions
  #app: FastifyInstance | undefined
  #port = 0

  constructor(options: DashboardOptions) {
    this.#options = options
  }

  get app(): FastifyInstance {
    return this.#app as FastifyInstance
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get url(): string {
    return `${this.origin}/admin/`
  }

  async start(): Promise<void> {
    const { fastify, plugin = {}, authorize = () => true, routes } = this.#options
    const app = Fastify({ forceCloseConnections: true, ...fastify })
    this.#app = app
    await app.register(websocketLifecycle, plugin)
    app.get('/chat', { websocket: true, onMessage: () => {} }, () => {})
    routes?.(app)
    await app.register(websocketDashboard, { prefix: '/admin', authorize })
    this.#port ||= await freePort()
    await app.listen({ host: '127.0.0.1', port: this.#port })
  }

  async stop(): Promise<void> {
    await this.app.close()
  }

  /** A client of the app. */
  connect(path = '/chat', headers: Readonly<Record<string, string>> = {}): Promise<Peer<string>> {
    return reach(`${this.origin.replace('http', 'ws')}${path}`, { headers })
  }
}
