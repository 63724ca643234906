import type { CloseCause } from '../core/close/policy.js'
import type { DrainOptions } from './option-groups.js'
import type { LifecycleSocket } from './socket.js'

/** The result of a drain. `drain()` resolves with it, and it is logged. */
export interface DrainReport {
  /** Number of connections that ended with both close frames, or by themselves. */
  readonly closed: number
  /** Number of connections that we cut off, because both close frames had not been exchanged in time. */
  readonly terminated: number
  /**
   * The steps of ends that took longer than their time, and were left behind. A step is a hook call or a
   * release, for instance.
   */
  readonly abandoned: ReadonlyArray<{
    readonly id: string
    /**
     * The URL pattern of the route. `''` where an upgrade was lost before it reached the Fastify hooks that
     * were added after the plugin.
     */
    readonly route: string
    readonly step: string
  }>
  /** How long the drain took, in ms. */
  readonly duration: number
}

/**
 * Why an upgrade was refused, with the HTTP status of its answer:
 * - `draining`: the server is shutting down (503).
 * - `route`: there is no such route (404), the route was declared before the plugin had loaded (500), or
 *   Fastify answered before any hook ran (400, 414, 500).
 * - `origin`: `allowedOrigins` does not allow it (403).
 * - `limit`: `maxConnections` is reached (503).
 * - `key`: `maxConnectionsPerKey` is reached (429).
 * - `handshake`: it took longer than `handshakeTimeout` (503).
 * - `hook`: a hook called `reply.refuseWebsocket`.
 *
 * Where a hook of the app sends an answer itself, that is not counted.
 */
export type RefusalReason = 'draining' | 'route' | 'origin' | 'limit' | 'key' | 'handshake' | 'hook'

/** Counts since the server started. Only `open` is a count of this moment. */
export interface LifecycleStats {
  /** Number of connections that are open or ending now. */
  open: number
  opened: number
  refused: Record<RefusalReason, number>
  closed: Record<CloseCause, number>
  /** Number of steps of ends that took longer than their time, and were left behind. */
  abandoned: number
  /**
   * Number of messages that were lost in our process:
   * - Received and not handled, because the drain had sent its close frame, nobody listened, the app had
   *   ended the connection, or it ended too early.
   * - Not sent because of `outbox.overflow: 'drop'`. The app's own pings and pongs count too.
   * - Still waiting to be compressed when the peer closed.
   */
  dropped: number
}

/** The type of `app.websocketLifecycle`. */
export interface WebsocketLifecycle {
  /** The sockets of all connections that are open or ending. */
  readonly connections: ReadonlySet<LifecycleSocket>
  /** Whether the drain has begun. It never becomes `false` again: from then on upgrades get a 503. */
  readonly draining: boolean
  /**
   * Ends every connection within `drain.timeout`, and waits for all cleanup. `app.close()` does the same.
   *
   * First `onShutdown` runs for all connections together, and messages that have come are handled. Only then
   * close frames are sent. Each field of `options` replaces the plugin's. A second call returns the report of
   * the first.
   * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`
   */
  drain(options?: DrainOptions): Promise<DrainReport>
  /** Returns a fresh copy of the counters. */
  stats(): LifecycleStats
}
