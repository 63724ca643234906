import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import type { Settings } from '../harness/server.js'

/** What a contestant has to show. */
export interface Shown {
  readonly connections: Iterable<WebSocket>
  /** How often a connection of `/hooks` and of `/storm` has ended, and a release has run. */
  readonly counts: { readonly ended: number; readonly released: number }
}

/** Adds a contestant's routes: `/` echoes; `/hooks` and `/storm` clean up after each connection. */
export type Variant = (app: FastifyInstance, settings: Settings) => Promise<Shown>
