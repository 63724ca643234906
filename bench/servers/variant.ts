import type { FastifyInstance } from 'fastify'
import type { Orders } from './control.js'

/** What a scenario sets of all contestants alike. */
export interface Settings {
  /** Of heartbeats, in ms; none without it, but for the defaults of ours. */
  readonly interval?: number
  readonly timeout?: number
}

/** Adds a contestant's routes: `/` echoes; `/hooks` and `/storm` clean up after each connection. */
export type Variant = (app: FastifyInstance, settings: Settings) => Promise<Orders>
