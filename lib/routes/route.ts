import type {
  FastifyBaseLogger,
  FastifyContextConfig,
  FastifyInstance,
  FastifyRequest,
  RouteOptions,
} from 'fastify'
import type { LifecycleSocket } from '../api/socket.js'
import type { LogLine } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import type { RouteSettings } from '../options/settings.js'
import type { RouteCapacity } from './capacity.js'
import { compileMessageSchema, type Validate } from './message-schema.js'

/** On the `config` of each route that was declared after us: its route, `null` for other routes. */
const kRoute = Symbol('fastify-websocket-lifecycle.route')

interface MarkedConfig extends FastifyContextConfig {
  [kRoute]?: Route | null
}

/** A route's handler, as it is called. */
export type Handler = (
  this: FastifyInstance,
  socket: LifecycleSocket,
  request: FastifyRequest,
) => unknown

/** A WebSocket route: what it is called, its options, and the instance it was declared on. */
export class Route {
  readonly url: string
  readonly settings: RouteSettings
  readonly instance: FastifyInstance
  readonly capacity: RouteCapacity
  readonly #messageSchema: unknown
  readonly #logged = new Set<string>()
  #validate: Validate | undefined

  constructor(
    url: string,
    settings: RouteSettings,
    capacity: RouteCapacity,
    instance: FastifyInstance,
    messageSchema: unknown,
  ) {
    this.url = url
    this.settings = settings
    this.capacity = capacity
    this.instance = instance
    this.#messageSchema = messageSchema
  }

  /** What each text message has to pass; `undefined` without a schema, and before the first 101. */
  get validate(): Validate | undefined {
    return this.#validate
  }

  /** Compiles the schema of its messages, the first time. Throws what the compiler throws. */
  prepare(request: FastifyRequest): void {
    if (this.#messageSchema === undefined) return
    this.#validate ??= compileMessageSchema(this.instance, request, this.#messageSchema)
  }

  /** Tells the log once, for all connections, of what is wrong with the route. */
  logOnce(log: FastifyBaseLogger, line: LogLine): void {
    if (this.#logged.has(line.text)) return
    this.#logged.add(line.text)
    logSafely(log, line, { route: this.url })
  }
}

/** Notes what a route is to us; `null` for one that takes no upgrades. */
export function markRoute(options: RouteOptions, route: Route | null): void {
  const marked: MarkedConfig = { ...options.config, [kRoute]: route }
  options.config = marked
}

/** `null` for a route that takes no upgrades, `undefined` for one that was declared before us. */
export function routeOf(config: FastifyContextConfig | undefined): Route | null | undefined {
  const marked: MarkedConfig | undefined = config
  return marked?.[kRoute]
}

/** The route of a request, as errors and lines name it. */
export function routeNameOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url}`
}
