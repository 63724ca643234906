import type {
  FastifyBaseLogger,
  FastifyContextConfig,
  FastifyInstance,
  FastifyRequest,
  RouteOptions,
} from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { LogLine } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import type { RouteSettings } from '../options/settings.js'
import type { RouteCapacity } from './capacity.js'
import { compileMessageSchema, type Validate } from './message-schema.js'

/**
 * A property on the `config` of each route that was declared after us: our `Route`, or `null` if it is no
 * WebSocket route.
 */
const kRoute = Symbol('fastify-websocket-lifecycle.route')

interface MarkedConfig extends FastifyContextConfig {
  [kRoute]?: Route | null
}

/** The handler of a route, as we call it. */
export type Handler = (
  this: FastifyInstance,
  socket: LifecycleSocket | LifecycleSession,
  request: FastifyRequest,
) => unknown

/** A WebSocket route: its URL pattern, its options, and the instance on which it was declared. */
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

  /** The check for each text message; `undefined` without a schema, and before the first upgrade. */
  get validate(): Validate | undefined {
    return this.#validate
  }

  /** Compiles the schema of its messages, the first time. Throws the error of the compiler. */
  prepare(request: FastifyRequest): void {
    if (this.#messageSchema === undefined) return
    this.#validate ??= compileMessageSchema(this.instance, request, this.#messageSchema)
  }

  /** Logs something that is wrong with the route, once for all its connections. */
  logOnce(log: FastifyBaseLogger, line: LogLine): void {
    if (this.#logged.has(line.text)) return
    this.#logged.add(line.text)
    logSafely(log, line, { route: this.url })
  }
}

/** Notes our `Route` on a route; `null` for one that takes no upgrades. */
export function markRoute(options: RouteOptions, route: Route | null): void {
  const marked: MarkedConfig = { ...options.config, [kRoute]: route }
  options.config = marked
}

/**
 * Our `Route`; `null` for a route that takes no upgrades, `undefined` for one that was declared before us.
 */
export function routeOf(config: FastifyContextConfig | undefined): Route | null | undefined {
  const marked: MarkedConfig | undefined = config
  return marked?.[kRoute]
}

/** The name of a request's route, for errors and log lines. */
export function routeNameOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url}`
}
