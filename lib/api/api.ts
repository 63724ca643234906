import type { IncomingMessage } from 'node:http'
import type {
  FastifyInstance,
  FastifyRequest,
  FastifyTypeProvider,
  FastifyTypeProviderDefault,
} from 'fastify'
import type { ServerOptions, WebSocket } from 'ws'
import type { CloseInfo } from '../core/close/info.js'
import type { CloseCause } from '../core/close/policy.js'
import type { ConnectionScope } from '../core/scope.js'
import type { OursToSet } from '../platform/ws-options.js'

export type { ConnectionScope }

/** A text frame arrives as a string, a binary one as a Buffer: `socket.send(message)` answers in kind. */
export type Message = string | Buffer

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
   * `closeTimeout` ms to answer, from the last progress of what was sent before it on. Never throws: a reason is cut to 123 bytes of UTF-8, and a code that may not be sent is replaced, so that a proxy can pass on
   * what it got: 1005 is a close frame without a code (and so without a reason), 1006 and 1015 become 1011, anything else 1000;
   * each but 1005 is warned about. Does nothing once the socket left OPEN.
   *
   * From now on nothing reaches `onMessage` or {@link messages}: what waits or comes is dropped and counted. Plain listeners
   * hear what they would of ws.
   */
  close(code?: number, reason?: string | Buffer): void
  /**
   * Ends the connection without a close frame, cause `server-terminate`. Never throws. Messages: as after {@link close}.
   */
  terminate(): void
  /**
   * As in ws, but never throws for the state that the connection is in. `callback` gets a
   * `ConnectionClosedError` where the message came too late.
   *
   * The first message of a turn of the event loop leaves at once, the further ones of the same turn
   * leave together when it ends, as one write (at most 16 KiB are held back); so does the first one
   * where it answers the first of several messages that came together. What is sent before a second
   * of synchronous work in the same turn may leave after that work.
   * @returns `false` above `outbox.highWaterMark` (the message was queued: do not send it again, but
   * wait for {@link drained} before the next), and where nothing was queued: the connection is no
   * longer open, or the message was dropped by `outbox.overflow`
   */
  send(data: Data, callback?: (error?: Error) => void): boolean
  send(data: Data, options: SendOptions, callback?: (error?: Error) => void): boolean
  /**
   * Waits until the outbox is below its `highWaterMark`. Resolves with `true` then, and with `false`
   * once the connection is ending (never in the same turn of the event loop). Never rejects.
   * @example
   * while (await socket.drained()) socket.send(await next())
   */
  drained(): Promise<boolean>
  /**
   * The messages as a loop, from the same inbox as `onMessage`: one has been handled when the next
   * is asked for. Ends when the connection has ended and what it had received was taken, and at once when the app ends it; `break`
   * gives the socket back to plain listeners. Listeners of `'message'` still see each message, just
   * before the loop gets it. With `schema.message` it gives the raw messages. Whoever takes single
   * messages with `next()` calls `return()` when done: until then the loop is running.
   * @throws `FST_ERR_WSL_TWO_READERS` on a route with `onMessage`, and while another loop runs
   * @example
   * for await (const message of socket.messages()) socket.send(await answer(message))
   */
  messages(): AsyncIterableIterator<Message>
  /**
   * Moves the moment at which the connection ends with `auth-expired`, as after a token was renewed:
   * a Date, or epoch milliseconds.
   * @throws `FST_ERR_WSL_INVALID_OPTION` for anything else, such as seconds
   */
  expireAt(when: Date | number): void
  /**
   * Whether reading is paused: by `pause()`, or because the inbox is full. Neither undoes the other.
   */
  readonly isPaused: boolean
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

/** Messages received and not yet handled. */
export interface InboxOptions {
  /**
   * So many messages make it full: reading pauses, and TCP pushes back on the sender; half empty,
   * reading resumes. Nothing is dropped. What one read of the socket held (64 KiB on the wire) may
   * come on top.
   * @default 64
   */
  maxMessages?: number
  /**
   * So many bytes make it full. What compression makes of one read may be much more: above twice
   * this (or this and 64 KiB, if that is more) and `maxPayload` the connection ends, cause `message-too-big`.
   * @default 1_048_576
   */
  maxBytes?: number
  /** So many calls of `onMessage` run at once; at most `maxMessages`. @default 1 */
  concurrency?: number
}

/** Messages sent and not yet written to the network. */
export interface OutboxOptions {
  /** Above so many bytes `send()` returns `false` and `drained()` waits. @default 65_536 */
  highWaterMark?: number
  /**
   * So many bytes may wait, the message about to be sent included; where nothing waits, a message of
   * any size may be sent. What would go over it meets `overflow`. What node keeps of each message that waits
   * is counted too, from the 257th on: about 450 bytes, or 1,150 where it waits to be compressed.
   *
   * As long as the kernel takes more, no reader is too slow: what one turn of the event loop sends then waits for our
   * own encryption or compression, and may be 4 MiB more. Above that the connection ends with `handler-error`
   * (`FST_ERR_WSL_OUTBOX_FULL`). With `overflow: 'drop'` what waits to be compressed has no such allowance.
   * @default 1_048_576
   */
  maxBytes?: number
  /**
   * What waits may stand still for so long, ms, at least 50, before it meets `overflow`. The kernel
   * shows progress in steps of about a third of its send buffer; a reader that takes 16 KiB a second is given the
   * time for what the kernel holds, for at most fifteen times `maxAge` in all. `false`: for ever.
   * @default 10_000
   */
  maxAge?: number | false
  /**
   * `'close'` ends the connection: 1013, cause `slow-consumer`. `'drop'` drops the message that was
   * about to be sent and counts it (a smaller one behind it may still fit); a fragment cannot be dropped, and ends it as well.
   * @default 'close'
   */
  overflow?: 'close' | 'drop'
}

/** A limit for each of many. */
export interface ConnectionsPerKey<Request = FastifyRequest> {
  /**
   * So many connections at once of one key; what comes on top meets `whenFull`. Given at the plugin, the routes without one of their own
   * count together; `Infinity` on a route takes it off.
   */
  max: number
  /**
   * Whose connection it is; asked after the route's hooks, so that it sees whom they found.
   * `undefined`: not limited. Anything else but a string is refused, with a 500; a throw is as one in a hook.
   * @default request.ip
   */
  key?: (request: Request) => string | undefined
  /**
   * `'refuse'`: what comes on top gets 429 with `Retry-After: 5`
   * (`FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY`). `'replace'`: the newest stay, by the order of their
   * upgrade requests. The oldest connection of the key ends, 4409 `replaced`, cause `replaced`, and the
   * new one opens when the transport of that one is gone: at most its `closeTimeout` later, or at once
   * where keepalive has a ping out that nothing has answered. `max` is at least 1 then, and
   * `handshakeTimeout` goes on. Who waits and is replaced meanwhile gets a 101 and the same 4409, whatever
   * `refuse` says, and counts as refused (`key`).
   * @default 'refuse'
   */
  whenFull?: 'refuse' | 'replace'
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
   * The close frames are spread over so many ms, so that not everybody comes back at once. It begins when all goodbyes
   * are said, and takes less where these took long: each close keeps `closeTimeout`, or half of what is left of `timeout`.
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

/**
 * What `onMessage` gets: the route's generic `Message`, else what `schema.message` says through the
 * type provider, else a {@link Message}. `unknown` where the type of the schema only allows for a
 * `message`, as that of Fastify's own `FastifySchema` does: nobody knows then what it makes of one.
 */
export type MessageOf<
  TypeProvider extends FastifyTypeProvider,
  Schema,
  RouteGeneric,
> = RouteGeneric extends { Message: infer Declared }
  ? Declared
  : Schema extends { message: infer MessageSchema }
    ? (TypeProvider & { schema: MessageSchema })['validator']
    : 'message' extends keyof Schema
      ? unknown
      : Message

/** What only a route may set, beside {@link LifecycleOptions}. */
export interface RouteLifecycleOptions<
  This = FastifyInstance,
  Request = FastifyRequest,
  Schema = unknown,
  TypeProvider extends FastifyTypeProvider = FastifyTypeProviderDefault,
  RouteGeneric = unknown,
> extends LifecycleOptions<This, Request> {
  /**
   * Called for each message, in order, one at a time (`inbox.concurrency` for more), and awaited. The
   * first call waits until the route's handler has settled. What was received before an end that the peer, the
   * network or a time limit decided is still handled, for at most `cleanupTimeout`, before `onUnexpectedClose` and `onClose`. What it
   * throws goes to `onHandlerError`, and ends this connection. With `schema.message` it gets the
   * parsed and validated value of each text message.
   */
  onMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    message: MessageOf<TypeProvider, Schema, RouteGeneric>,
  ) => unknown
  /**
   * Called in place of `onMessage` for a message that is no JSON, does not match `schema.message`, or
   * is binary; without it the connection ends, 1007, cause `protocol-error`. Awaited like
   * `onMessage`. `error` does not quote the message, unless the validator does.
   */
  onInvalidMessage?: (
    this: This,
    socket: LifecycleSocket,
    request: Request,
    error: Error,
  ) => unknown
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
