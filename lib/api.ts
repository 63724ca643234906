import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ServerOptions, WebSocket } from 'ws'
import type { CloseCause, CloseInfo } from './core/close-info.js'
import type { ConnectionScope } from './core/scope.js'

export type { ConnectionScope }

type Data = Parameters<WebSocket['send']>[0]
type SendOptions = { mask?: boolean; binary?: boolean; compress?: boolean; fin?: boolean }

/** The `ws` WebSocket that handlers and hooks get: everything that ws offers, and the following. */
export interface LifecycleSocket extends WebSocket {
  /** A UUID, unique across processes: a key for state that must not outlive this connection. */
  readonly id: string
  /** The upgrade request, as the route's hooks saw it. */
  readonly request: FastifyRequest
  /** The same object as `request.wsScope`. */
  readonly scope: ConnectionScope
  /**
   * Resolves with the {@link CloseInfo} when everything is over: transport, hooks and releases.
   * Never rejects. Do not await it inside a handler, a hook or a release of the same connection:
   * these are part of what it waits for (it would cost them a `cleanupTimeout`); use
   * `scope.signal` there.
   */
  readonly closed: Promise<CloseInfo>
  /** Round trip of the last answered keepalive ping, in ms; `undefined` before the first. */
  readonly latency: number | undefined
  /**
   * Starts the closing handshake (RFC 6455 §7.1.2), cause `server-close`; the peer has
   * `closeTimeout` ms to answer, from the last progress of what was sent before it on. Never throws: a code that may not be sent becomes 1000 and is
   * warned about, a reason is cut to 123 bytes of UTF-8. Does nothing once the socket left OPEN.
   */
  close(code?: number, reason?: string | Buffer): void
  /** Ends the connection without a close frame, cause `server-terminate`. Never throws. */
  terminate(): void
  /**
   * As in ws, but never throws for the state that the connection is in. `callback` gets a
   * `ConnectionClosedError` where the message came too late.
   * @returns `false` if nothing was queued, because the connection is no longer open
   */
  send(data: Data, callback?: (error?: Error) => void): boolean
  send(data: Data, options: SendOptions, callback?: (error?: Error) => void): boolean
}

/** Pings while idle, and the verdict that a peer is dead. */
export interface KeepaliveOptions {
  /**
   * A ping is sent when nothing came in, or nothing went out, for so long; ms, at least 50, spread
   * by ±10 %. Stay below the idle limit of every proxy on the way (60 s is common).
   * @default 25_000
   */
  interval?: number
  /**
   * A peer that sends not one byte for so long after a ping is terminated, cause
   * `heartbeat-timeout`; ms, at least 50. `false`: ping, but never judge.
   * @default 20_000
   */
  timeout?: number | false
}

/** How all connections end at shutdown. */
export interface DrainOptions {
  /**
   * All connections are over after so long, in ms; what still cleans up then has 500 ms more. At
   * most Fastify's `pluginTimeout` − 1500, unless that is 0.
   * @default 8_000
   */
  timeout?: number
  /**
   * The close frames are spread over so many ms, so that not everybody comes back at once.
   * At most `timeout`.
   * @default 0
   */
  spread?: number
  /** Close code. @default 1012 */
  code?: number
  /** Close reason, at most 123 bytes of UTF-8. @default 'service restart' */
  reason?: string
  /** `Retry-After` of the 503 that upgrades get while draining, in whole seconds. @default 1 */
  retryAfter?: number
}

/**
 * What a route may set, and the plugin may set for all routes. A route's option replaces the
 * plugin's, but `keepalive` merges field by field and a hook given at both levels runs at both, the
 * route's first. Durations are milliseconds.
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
   * How long each step of the end (a hook call, a release) may take before it is logged, counted
   * as abandoned and left behind.
   * @default 5_000
   */
  cleanupTimeout?: number
  /**
   * Codes with which a client may close without `onUnexpectedClose` being called. With 1006 in the
   * list, a lost connection is expected too.
   * @default [1000, 1001, 1005]
   */
  expectedCloseCodes?: readonly number[]
  /**
   * How long an upgrade request may take until its 101; then it is answered with a 503 and its
   * socket is ended. `false`: for ever.
   * @default 10_000
   */
  handshakeTimeout?: number | false
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
   * Called when the drain reaches the connection, before its close frame: a chance to say goodbye.
   * Awaited, for at most `min(cleanupTimeout, drain.timeout − closeTimeout − 500)` ms.
   */
  onShutdown?: (this: This, socket: LifecycleSocket, request: Request) => unknown
  /**
   * Called with what the handler, a listener on the socket, a callback given to `send`, `ping` or
   * `pong`, a hook or a release threw or rejected with; until `socket.closed` has resolved. A
   * `close()` or `terminate()` in its synchronous part is what the peer gets, else 1011 follows.
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
   */
  websocket?: Omit<
    ServerOptions,
    'noServer' | 'path' | 'WebSocket' | 'closeTimeout' | 'server' | 'host' | 'port' | 'backlog'
  >
}

/** How a drain went. */
export interface DrainReport {
  /** Connections that ended with a closing handshake, or by themselves. */
  readonly closed: number
  /** Connections whose peer did not answer in time. */
  readonly terminated: number
  /** Steps of the end that overran their time and were left behind. */
  readonly abandoned: ReadonlyArray<{
    readonly id: string
    readonly route: string
    readonly step: string
  }>
  /** ms. */
  readonly duration: number
}

/**
 * Why an upgrade was refused: `draining` (503), `route` (404, or 500 for a route that was declared
 * before the plugin had loaded), `handshake` (503, `handshakeTimeout`).
 */
export type RefusalReason = 'draining' | 'route' | 'handshake'

/** Counts since the server started, but for `open`. */
export interface LifecycleStats {
  /** Connections now open or ending. */
  open: number
  opened: number
  refused: Record<RefusalReason, number>
  closed: Record<CloseCause, number>
  /** Steps of an end that overran their time and were left behind. */
  abandoned: number
  /** Messages that arrived after the drain had begun. */
  dropped: number
}

/** `app.websocketLifecycle`. */
export interface WebsocketLifecycle {
  /** The connections that are open or ending. */
  readonly connections: ReadonlySet<LifecycleSocket>
  /** Whether the drain has begun; it never ends: from then on upgrades get 503. */
  readonly draining: boolean
  /**
   * Ends every connection, in time, and waits for every cleanup; `app.close()` does the same.
   * `options` are laid over the plugin's. A second call returns the first one's report.
   * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`
   */
  drain(options?: DrainOptions): Promise<DrainReport>
  /** A fresh copy of the counters. */
  stats(): LifecycleStats
}
