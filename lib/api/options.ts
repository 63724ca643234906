import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ServerOptions } from 'ws'
import type { CloseInfo } from '../core/close/info.js'
import type { OursToSet } from '../platform/ws-options.js'
import type {
  ConnectionsPerKey,
  DrainOptions,
  InboxOptions,
  KeepaliveOptions,
  OutboxOptions,
} from './option-groups.js'
import type { LifecycleSocket } from './socket.js'

/**
 * The options that a route may set, and that the plugin may set for all routes. Durations are milliseconds.
 *
 * A route's option replaces the plugin's, with two exceptions: `keepalive`, `inbox` and `outbox` merge field
 * by field, and a hook given at both levels runs at both, the route's first.
 *
 * `Socket` is what the hooks get: a {@link LifecycleSocket}, or a {@link LifecycleSession} on a route with
 * `resume`.
 *
 * Members may be inherited, as from a class. Only a route's options themselves must be own properties:
 * Fastify copies no others.
 */
export interface LifecycleOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Socket = LifecycleSocket,
> {
  /**
   * Sends pings while the connection is idle, and ends connections whose peer is dead. `false` turns both
   * off.
   */
  keepalive?: false | KeepaliveOptions
  /**
   * How long a peer may take to answer our close frame, in ms. It counts from the last progress of what was
   * sent before that frame; ten times as long is the most in all. Then the socket is destroyed.
   * @default 3_000
   */
  closeTimeout?: number
  /**
   * How long each step of the end may take, in ms. A step is: the messages that are left, a hook call, or a
   * release. A step that takes longer is logged, counted as abandoned, and left behind.
   *
   * After the same time there is a warning in the log about a route whose handler keeps messages waiting.
   * @default 5_000
   */
  cleanupTimeout?: number
  /**
   * Close codes of the peer for which `onUnexpectedClose` is not called. With 1006 in the list, a lost
   * connection is expected too.
   * @default [1000, 1001, 1005]
   */
  expectedCloseCodes?: readonly number[]
  /** Bounds for messages that were received and are not yet handled. */
  inbox?: InboxOptions
  /** Bounds for messages that were sent and are not yet written to the network. */
  outbox?: OutboxOptions
  /**
   * Ends a connection when no part of an application message has moved in either direction for so long (up to
   * a tenth longer): 3008, cause `idle-timeout`; ms. `false`: never.
   *
   * These count as activity:
   * - A message that comes, and bytes of one that is still coming.
   * - A message that is sent, and bytes of it that the kernel takes. (On a stream that is no socket, as in
   *   `injectWS`, only the sending counts.)
   * - A message that waits, or that `onMessage` or `messages()` is handling.
   * - A pause of reading.
   *
   * Pings and pongs do not count.
   * @default false
   */
  idleTimeout?: number | false
  /**
   * Ends a connection so long after its 101: 1001, cause `lifetime-expired`; ms. It is shortened by up to a
   * tenth at random, so that not all connections end at once. `false`: never.
   * @default false
   */
  maxLifetime?: number | false
  /**
   * Returns when the credentials of a request end, or a promise of it: a Date or epoch milliseconds;
   * `undefined` for never. At that time the connection ends: 3000, cause `auth-expired`. `socket.expireAt()`
   * changes it.
   *
   * Called after the route's hooks and before the 101, within `handshakeTimeout`. A time in the past is
   * answered with 401 (`FST_ERR_WSL_CREDENTIALS_EXPIRED`). A number below 1e11 is refused with a 500: it is
   * probably in seconds. A throw is treated like a throw in a hook.
   */
  expiresAt?: (request: Request) => Date | number | undefined | Promise<Date | number | undefined>
  /**
   * Returns the names of the groups that a connection is in from its open on, such as `user:42`; one name or
   * several, `undefined` for none. The handler may add it to others: `app.websocketLifecycle.group(name).add(socket)`.
   *
   * Called after the route's hooks and before the 101, so it can use what they found out; of a session, for the
   * request that begins it. Anything else is refused with a 500. A throw is treated like a throw in a hook.
   */
  groups?: (request: Request) => string | readonly string[] | undefined
  /**
   * Ends a connection that sends more than `max` messages within `window` ms: 1008, cause `rate-limited`.
   * `false`: no limit.
   *
   * Windows follow each other; each begins with its first message. Messages that come late because reading
   * was paused, or because our event loop stood still, count for the time in which they may have come.
   * @default false
   */
  messageRate?: false | { max: number; window: number }
  /**
   * How long an upgrade request may take until its 101, in ms. Then it is answered with a 503, and its socket
   * is ended. `false`: no limit.
   * @default 10_000
   */
  handshakeTimeout?: number | false
  /**
   * The origins whose pages may connect, by the `Origin` header that browsers send (RFC 6455 §10.2). Any
   * other is answered with 403 (`FST_ERR_WSL_ORIGIN`).
   * - `'same-origin'`: the host that the request asks for (`request.host`, so `trustProxy` counts). An
   *   `https` page may connect without TLS, because a proxy may have ended it; an `http` page may not connect
   *   over TLS.
   * - `'*'`: all.
   * - A list of origins (`'https://app.example'`: scheme, host and port, no path) and patterns. A pattern has
   *   to end in `$`.
   * - A function that returns `true`, or a promise of it, for an allowed origin. It has to settle within
   *   `handshakeTimeout`. A throw is treated like a throw in a hook.
   *
   * A request without an `Origin` passes, because it comes from no browser. A request whose `Origin` is no
   * valid origin passes with `'*'` only.
   * @default 'same-origin'
   */
  allowedOrigins?:
    | 'same-origin'
    | '*'
    | ReadonlyArray<string | RegExp>
    | ((origin: string, request: Request) => boolean | Promise<boolean>)
  /**
   * How many connections may be open at once. Upgrades that are not decided yet count too. The plugin's
   * option counts all connections of the server, a route's option those of that route; both hold.
   *
   * Another one gets 503 with `Retry-After: 5` (`FST_ERR_WSL_TOO_MANY_CONNECTIONS`), before the route's hooks
   * run.
   * @default Infinity
   */
  maxConnections?: number
  /**
   * How many connections may be open at once for each user, each address, or whatever `key` makes of a
   * request.
   */
  maxConnectionsPerKey?: ConnectionsPerKey<Request>
  /**
   * How to refuse an upgrade because of its origin, `maxConnections` or `maxConnectionsPerKey`. Other
   * refusals are always by HTTP.
   * - `'http'`: with an HTTP status. Browsers do not show it to a page.
   * - `'close-frame'`: with a 101 and a close frame. Its code is 3003 for the origin, 1013 for
   *   `maxConnections`, 4429 for `maxConnectionsPerKey` (not retryable: the same user has taken the places).
   *   Its reason is the {@link RefusalReason}. The handler does not run, and the socket ends within
   *   `closeTimeout`.
   * @default 'http'
   */
  refuse?: 'http' | 'close-frame'
  /**
   * Whether `close.history` has the last 16 facts of every connection, from its 101 on. That costs some 200
   * bytes for each.
   *
   * `false`: facts are kept from the first sign on that something is wrong. Such signs are: a ping that is not
   * answered before the next one, or not in time; reading that is paused; bytes that the client does not take;
   * a callback that fails; a session that is suspended. Other connections have no history and no cost.
   * @default false
   */
  history?: boolean
  /**
   * Called before `onClose` if `close.expected` is `false`. Awaited, for at most `cleanupTimeout`. An error
   * that it throws goes to `onHandlerError`.
   */
  onUnexpectedClose?: (this: This, socket: Socket, request: Request, close: CloseInfo) => unknown
  /**
   * Called exactly once for every connection that opened, when its transport is gone and its resources are
   * not yet released. Awaited, for at most `cleanupTimeout`. An error that it throws goes to
   * `onHandlerError`.
   */
  onClose?: (this: This, socket: Socket, request: Request, close: CloseInfo) => unknown
  /**
   * Called when the drain begins, to say goodbye to this connection and to others. No close frame is sent
   * before all connections have done so. Awaited, for at most `min(cleanupTimeout, drain.timeout −
   * closeTimeout − 500)` ms. Messages are still handled until the connection's own close frame.
   */
  onShutdown?: (this: This, socket: Socket, request: Request) => unknown
  /**
   * Called with an error of the app: one that the handler, a listener on the socket, a callback given to
   * `send`, `ping` or `pong`, a hook or a release threw or rejected with. Called until `socket.closed` has
   * resolved.
   *
   * If it calls `close()` or `terminate()` in its synchronous part, the peer gets that. Else the connection
   * ends with 1011.
   *
   * `error` is always safe to read: if the thrown value is no Error, or throws when it is looked at, `error`
   * is another Error that tells of it. (Fastify's own route hook `onError` is for the HTTP side.)
   */
  onHandlerError?: (this: This, socket: Socket, request: Request, error: Error) => unknown
}

// An app without `resume` never sees a session here, so its hooks may use all of a socket. The union of both
// would refuse such hooks. And an app with `resume` may write the union itself: a function that takes more is
// always accepted.
/**
 * The options of the plugin: those that a route may set too, and those of the server.
 *
 * On a route with `resume` the hooks of the plugin get a {@link LifecycleSession}, which is no WebSocket. If
 * the app has such a route, declare their first parameter as `LifecycleSocket | LifecycleSession`.
 */
export interface WebsocketLifecycleOptions extends LifecycleOptions {
  /** How all connections end at shutdown. */
  drain?: DrainOptions
  /**
   * The server options that `ws` gets: `maxPayload` (default here: 1 MiB), `perMessageDeflate`,
   * `handleProtocols`, `verifyClient`, ...
   *
   * `maxFragments` is how many fragments a message may have, `maxBufferedChunks` how many reads may hold
   * parts of one frame. By default both are one for each 64 bytes of `maxPayload`, at least 1,024 and at most
   * ws's own 16,384 and 262,144: each piece of an unfinished message costs some 200 bytes, however small it
   * is. More pieces end the connection: 1008, cause `protocol-error`. 0: no limit.
   */
  websocket?: Omit<ServerOptions, OursToSet>
  /**
   * Returns `true` for an upgrade that this plugin must leave alone, although a WebSocket route of this app
   * would match it. Such an upgrade goes to the server's other listeners for `'upgrade'`; if there are none,
   * it is answered as a plain request.
   *
   * Called for each upgrade of this server, before anything else is done with it. It has to answer
   * synchronously. A throw is logged and counts as `false`.
   *
   * Paths that no route has do not need it: if the server has other listeners, they get those upgrades
   * anyway.
   * @default undefined: none
   */
  ignoreUpgrade?: (request: IncomingMessage) => boolean
}
