import type { CloseCause } from '../core/close/policy.js'
import type { DrainOptions } from './option-groups.js'
import type { LifecycleSocket } from './socket.js'

/** How a drain went. */
export interface DrainReport {
  /** Connections that ended with both close frames, or by themselves. */
  readonly closed: number
  /** Connections that we cut off, as both close frames had not been exchanged in time. */
  readonly terminated: number
  /** Steps of the end that overran their time and were left behind. */
  readonly abandoned: ReadonlyArray<{
    readonly id: string
    /** Its pattern; `''` where an upgrade was lost before Fastify's hooks that were added after the plugin. */
    readonly route: string
    readonly step: string
  }>
  /** ms. */
  readonly duration: number
}

/**
 * Why an upgrade was refused: `draining` (503), `route` (404, or 500 for a route that was declared
 * before the plugin had loaded, or what Fastify answers before any hook: 400, 414, 500), `origin` (403, `allowedOrigins`), `limit` (503, `maxConnections`),
 * `key` (429, `maxConnectionsPerKey`), `handshake` (503, `handshakeTimeout`), `hook`
 * (`reply.refuseWebsocket`). An answer that a hook of the app gives itself is not counted.
 */
export type RefusalReason = 'draining' | 'route' | 'origin' | 'limit' | 'key' | 'handshake' | 'hook'

/** Counts since the server started, but for `open`. */
export interface LifecycleStats {
  /** Connections now open or ending. */
  open: number
  opened: number
  refused: Record<RefusalReason, number>
  closed: Record<CloseCause, number>
  /** Steps of an end that overran their time and were left behind. */
  abandoned: number
  /**
   * Messages that were received and not handled, because the drain had sent its close frame, nobody listened, the app had
   * ended the connection, or it ended too early; and those (and pings and pongs of the app)
   * that `outbox.overflow: 'drop'` did not send, or that still waited to be compressed when the peer closed.
   */
  dropped: number
}

/** `app.websocketLifecycle`. */
export interface WebsocketLifecycle {
  /** The connections that are open or ending. */
  readonly connections: ReadonlySet<LifecycleSocket>
  /** Whether the drain has begun; it never ends: from then on upgrades get 503. */
  readonly draining: boolean
  /**
   * Ends every connection, in time, and waits for every cleanup; `app.close()` does the same. First of all connections
   * together `onShutdown` runs and messages that have come are handled, then close frames leave.
   * `options` are laid over the plugin's. A second call returns the first one's report.
   * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`
   */
  drain(options?: DrainOptions): Promise<DrainReport>
  /** A fresh copy of the counters. */
  stats(): LifecycleStats
}
