import type { CloseCause } from '../core/close/policy.js'
import type { HistoryEntry } from '../core/diagnosis/history.js'
import type { Group } from './group.js'
import type { DrainOptions } from './option-groups.js'
import type { LifecycleSession } from './session.js'
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

/** Counts of one route since the server started. Only `open` is a count of this moment. */
export interface RouteStats {
  /** Number of connections that are open or ending now. */
  open: number
  opened: number
  refused: Record<RefusalReason, number>
  closed: Record<CloseCause, number>
  /**
   * Number of messages that were lost in our process:
   * - Received and not handled, because the drain had sent its close frame, nobody listened, the app had
   *   ended the connection, or it ended too early.
   * - Not sent because of `outbox.overflow: 'drop'`. The app's own pings and pongs count too.
   * - Still waiting to be compressed when the peer closed.
   */
  dropped: number
  /** Number of steps of ends that took longer than their time, and were left behind. */
  abandoned: number
}

/**
 * Counts since the server started: those of all routes together, refusals without a route included, and more. Only
 * `open`, `connected` and `suspended` are counts of this moment.
 */
export interface LifecycleStats extends RouteStats {
  /** The sessions of routes with `resume`. In the numbers of connections a session counts as one. */
  sessions: {
    /** Number of sessions that have a connection now. */
    connected: number
    /** Number of sessions that wait for their client now. */
    suspended: number
    /** How often a client has come back to its session. */
    resumed: number
    /** Number of sessions whose client did not come back within `resume.window`. */
    expired: number
    /** Number of suspended sessions that ended early, because a limit or `resume.maxBytes` was reached. */
    displaced: number
    /** How often a client has asked for a session that another connection has taken since, or that is over. */
    stale: number
  }
  /** The counts of each WebSocket route, by its URL pattern. Refusals without a route are in no one. */
  byRoute: Record<string, RouteStats>
}

/** What {@link WebsocketLifecycle.describe} tells: a plain object, for JSON and for people's own pages. */
export interface ConnectionDescription {
  /** `socket.id` or `session.id`. */
  readonly id: string
  /** The URL pattern of the route. */
  readonly route: string
  /** `suspended`: a session that waits for its client. `ended`: the last release has run. */
  readonly state: 'open' | 'suspended' | 'ending' | 'ended'
  /** When the (first) 101 was sent, in epoch ms. */
  readonly openedAt: number
  /**
   * When the last frame came, in epoch ms. Exact to a second or two, and to the time for which our own event loop
   * stood still since. `undefined` once the end has begun.
   */
  readonly lastReceivedAt: number | undefined
  /** See `socket.latency`. */
  readonly latency: number | undefined
  /** `request.ip` of the request that has opened the connection; of a suspended session, that has begun it. */
  readonly remoteAddress: string
  /** The names of the groups that it is in. */
  readonly groups: readonly string[]
  /** What was received and is not handled yet. */
  readonly inbox: { readonly messages: number; readonly bytes: number }
  /** What was sent and has not left. On a route with `resume`: what the client has not confirmed, if it confirms. */
  readonly outbox: { readonly bytes: number }
  /** `undefined` on a route without `resume`. */
  readonly session:
    | {
        /** How often the client has come back. */
        readonly resumes: number
      }
    | undefined
  /** As `close.history`, up to now: the last 16 facts. `undefined` if there is no history. */
  readonly history: readonly HistoryEntry[] | undefined
}

/** The type of `app.websocketLifecycle`. */
export interface WebsocketLifecycle {
  /** The sockets of all connections that are open or ending. */
  readonly connections: ReadonlySet<LifecycleSocket>
  /**
   * All sessions of routes with `resume`: connected, suspended or ending. Their sockets are not in
   * {@link connections}, because a message that is sent there would not be counted.
   */
  readonly sessions: ReadonlySet<LifecycleSession>
  /**
   * The group of this name. There is nothing to make or to delete: a group is there as long as it has members.
   * @throws `FST_ERR_WSL_INVALID_OPTION` if `name` is no string
   */
  group(name: string): Group
  /** All groups that have members now, by name: a live view. */
  readonly groups: ReadonlyMap<string, Group>
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
  /**
   * Describes one connection or session as it is now, also while it ends.
   * @throws `FST_ERR_WSL_INVALID_OPTION` if it is none of this plugin's
   */
  describe(who: LifecycleSocket | LifecycleSession): ConnectionDescription
}
