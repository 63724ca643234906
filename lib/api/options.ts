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
 * What a route may set, and the plugin may set for all routes. A route's option replaces the
 * plugin's, but `keepalive`, `inbox` and `outbox` merge field by field and a hook given at both levels runs at both, the
 * route's first. Durations are milliseconds. Members may be inherited, but for those of a route's options themselves: Fastify
 * copies what is their own.
 */
export interface LifecycleOptions<This = FastifyInstance, Request = FastifyRequest> {
  /** Pings while idle and the verdict on dead peers; `false` turns both off. */
  keepalive?: false | KeepaliveOptions
  /**
   * How long a peer may take to answer our close frame, counted from the last progress of what was
   * sent before it (ten times as long at most); then the socket is destroyed.
   * @default 3_000
   */
  closeTimeout?: number
  /**
   * How long each step of the end (the messages that are left, a hook call, a release) may take before
   * it is logged, counted as abandoned and left behind. After so long, too, a route is warned about
   * whose handler keeps messages waiting.
   * @default 5_000
   */
  cleanupTimeout?: number
  /**
   * Codes with which a client may close without `onUnexpectedClose` being called. With 1006 in the
   * list, a lost connection is expected too.
   * @default [1000, 1001, 1005]
   */
  expectedCloseCodes?: readonly number[]
  /** Bounds for what was received and is not yet handled. */
  inbox?: InboxOptions
  /** Bounds for what was sent and is not yet written to the network. */
  outbox?: OutboxOptions
  /**
   * Ends a connection on which nothing of an application message has moved in either direction for so long (up to a
   * tenth longer), 3008, cause `idle-timeout`; ms. Activity is: a message, and bytes of one that is still coming; what is sent,
   * and bytes of it that the kernel takes (on a stream that is no socket, as in `injectWS`, only that it is sent). Also a
   * message that waits or is being handled by `onMessage` or `messages()`, and a pause of reading. Pings and pongs are none.
   * @default false
   */
  idleTimeout?: number | false
  /**
   * Ends a connection so long after its 101, 1001, cause `lifetime-expired`; ms, shortened by up to
   * a tenth at random, so that a fleet does not end at once.
   * @default false
   */
  maxLifetime?: number | false
  /**
   * When the credentials of a request end: a Date or epoch milliseconds, `undefined` for never. Asked
   * after the route's hooks, before the 101, within `handshakeTimeout`. In the past: 401
   * (`FST_ERR_WSL_CREDENTIALS_EXPIRED`); a number below 1e11 (seconds?) is refused, with a 500; a
   * throw is as one in a hook. At that moment the connection ends, 3000, cause `auth-expired`;
   * `socket.expireAt()` moves it.
   */
  expiresAt?: (request: Request) => Date | number | undefined | Promise<Date | number | undefined>
  /**
   * Ends a connection that sends more than `max` messages within `window` ms, 1008, cause
   * `rate-limited`. Windows follow each other, each from its first message on; what came while
   * reading was paused, or our event loop stood still, counts for the time in which it may have come.
   * @default false
   */
  messageRate?: false | { max: number; window: number }
  /**
   * How long an upgrade request may take until its 101; then it is answered with a 503 and its
   * socket is ended. `false`: for ever.
   * @default 10_000
   */
  handshakeTimeout?: number | false
  /**
   * Whose pages may connect, by the `Origin` that browsers send (RFC 6455 §10.2); else 403
   * (`FST_ERR_WSL_ORIGIN`). `'same-origin'`: those of the host that the request asks for
   * (`request.host`, so `trustProxy` counts), over a scheme that is not the weaker one. `'*'`:
   * everybody's. A list: these origins (`'https://app.example'`: scheme, host and port, no path) and
   * those that a pattern matches, which has to end in `$`. A function: those for which it returns, or
   * resolves with, `true`; asked within `handshakeTimeout`, a throw is as one in a hook. A request
   * without an `Origin` comes from no browser, and passes; one whose `Origin` is none passes `'*'` alone.
   * @default 'same-origin'
   */
  allowedOrigins?:
    | 'same-origin'
    | '*'
    | ReadonlyArray<string | RegExp>
    | ((origin: string, request: Request) => boolean | Promise<boolean>)
  /**
   * So many connections at once, upgrades that are not decided included; what comes on top gets 503
   * with `Retry-After: 5` (`FST_ERR_WSL_TOO_MANY_CONNECTIONS`), before the route's hooks run. Of the
   * plugin: of the whole server. Of a route: of that route; both hold.
   * @default Infinity
   */
  maxConnections?: number
  /** So many connections at once for each user, address, or whatever `key` makes of a request. */
  maxConnectionsPerKey?: ConnectionsPerKey<Request>
  /**
   * How a refusal for its origin, a limit or a key is told. `'http'`: by a status, which browsers do
   * not show to a page. `'close-frame'`: by a 101 and a close frame, 3003 for the origin, 1013 for
   * `maxConnections`, 4429 for `maxConnectionsPerKey` (not retryable: the room is taken by the same user), each with its
   * {@link RefusalReason} as its reason; the handler does not run, and the socket ends within `closeTimeout`. Other refusals stay HTTP.
   * @default 'http'
   */
  refuse?: 'http' | 'close-frame'
  /**
   * Called before `onClose` if `close.expected` is `false`. Awaited, for at most `cleanupTimeout`.
   * What it throws goes to `onHandlerError`.
   */
  onUnexpectedClose?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    close: CloseInfo,
  ) => unknown
  /**
   * Called exactly once for every connection that opened, when its transport is gone and its
   * resources still live. Awaited, for at most `cleanupTimeout`. What it throws goes to
   * `onHandlerError`.
   */
  onClose?: (this: This, socket: LifecycleSocket, request: Request, close: CloseInfo) => unknown
  /**
   * Called when the drain begins: a chance to say goodbye, to this connection and to others. No close frame leaves before
   * all connections have done so. Awaited, for at most `min(cleanupTimeout, drain.timeout − closeTimeout − 500)` ms.
   * Messages go on to be handled until the connection's own close frame.
   */
  onShutdown?: (this: This, socket: LifecycleSocket, request: Request) => unknown
  /**
   * Called with what the handler, a listener on the socket, a callback given to `send`, `ping` or
   * `pong`, a hook or a release threw or rejected with; until `socket.closed` has resolved. A
   * `close()` or `terminate()` in its synchronous part is what the peer gets, else 1011 follows.
   * `error` can be read: what is no Error, or throws when it is looked at, is told of by another one.
   * (Fastify's own route hook `onError` is for the HTTP side.)
   */
  onHandlerError?: (this: This, socket: LifecycleSocket, request: Request, error: Error) => unknown
}

/** Options of the plugin: those of every route, and those of the server. */
export interface WebsocketLifecycleOptions extends LifecycleOptions {
  /** How all connections end at shutdown. */
  drain?: DrainOptions
  /**
   * Handed on to `ws` as its server options: `maxPayload` (default here: 1 MiB),
   * `perMessageDeflate`, `handleProtocols`, `verifyClient`, ...
   *
   * `maxFragments` of a message and `maxBufferedChunks` (reads that hold parts of one frame) are one for each 64
   * bytes of `maxPayload` by default, at least 1,024 and at most ws's own 16,384 and 262,144: an unfinished message of tiny pieces
   * holds some 200 bytes for each. More end the connection, 1008, cause `protocol-error`; 0: no limit.
   */
  websocket?: Omit<ServerOptions, OursToSet>
  /**
   * Tells which upgrades are somebody else's, though a WebSocket route of this app would match them; asked
   * for each upgrade of this server, before anything else is done with it. `true`: it is left to the other listeners
   * for `'upgrade'` of the server, or answered as a plain request if there are none. Has to answer at once; a throw is logged
   * and reads as `false`.
   *
   * Not needed for paths that no route has: where others listen, those are theirs anyway.
   * @default undefined: none
   */
  ignoreUpgrade?: (request: IncomingMessage) => boolean
}
