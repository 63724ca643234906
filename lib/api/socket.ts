import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { CloseInfo } from '../core/close/info.js'
import type { ConnectionScope } from '../core/scope.js'

/** A text frame arrives as a string, a binary one as a Buffer: `socket.send(message)` answers in kind. */
export type Message = string | Buffer

/** What `send()` takes, as in ws: text, bytes, and what ws makes bytes of. */
export type Data = Parameters<WebSocket['send']>[0]
export type SendOptions = { mask?: boolean; binary?: boolean; compress?: boolean; fin?: boolean }

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
