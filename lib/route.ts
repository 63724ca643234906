import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleSocket } from './api.js'
import { tell } from './ending.js'
import type { RouteSettings } from './options.js'
import { compileMessageSchema, type Validate } from './validation.js'

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
  readonly #messageSchema: unknown
  readonly #warned = new Set<string>()
  #validate: Validate | undefined

  constructor(url: string, settings: RouteSettings, instance: FastifyInstance, schema: unknown) {
    this.url = url
    this.settings = settings
    this.instance = instance
    this.#messageSchema = schema
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
  warnOnce(log: FastifyBaseLogger, text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    tell(log, 'warn', { route: this.url }, text)
  }
}
