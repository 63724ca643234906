import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { CloseInfo } from '../core/close/info.js'
import type { ConnectionScope } from '../core/scope.js'

/**
 * A message as the app gets it: a string for a text frame, a Buffer for a binary frame. So
 * `socket.send(message)` answers with the same kind of frame.
 */
export type Message = string | Buffer

/** What `send()` takes, as in ws: text, bytes, or something that ws turns into bytes. */
export type Data = Parameters<WebSocket['send']>[0]
export type SendOptions = { mask?: boolean; binary?: boolean; compress?: boolean; fin?: boolean }

/**
 * The socket that handlers and hooks get: the WebSocket of `ws` with everything that it offers, and the
 * members below.
 */
export interface LifecycleSocket extends WebSocket {
  /** A UUID, unique across processes. Use it as a key for state that must not outlive this connection. */
  readonly id: string
  /** The upgrade request, with everything that the route's hooks have added to it. */
  readonly request: FastifyRequest
  /** The same object as `request.wsScope`. */
  readonly scope: ConnectionScope
  /**
   * Resolves with the {@link CloseInfo} when the transport is gone and all hooks and releases have run. Never
   * rejects.
   *
   * Do not await it inside a handler, a hook or a release of the same connection. It waits for these to
   * finish, so that would cost them a whole `cleanupTimeout`. Use `scope.signal` there.
   */
  readonly closed: Promise<CloseInfo>
  /** The names of the groups that it is in. Empty once it has left OPEN, in `onClose` too. */
  readonly groups: readonly string[]
  /** Round trip of the last answered keepalive ping, in ms. `undefined` until one was answered. */
  readonly latency: number | undefined
  /**
   * Sends a close frame and so starts the closing handshake (RFC 6455 §7.1.2), cause `server-close`. Does
   * nothing once the socket has left OPEN. Never throws.
   *
   * The peer has `closeTimeout` ms to answer. They count from the last progress of what was sent before.
   *
   * A `reason` is cut to 123 bytes of UTF-8. A `code` that may not be sent is replaced, so that a proxy can
   * pass on the code that it got: 1005 sends a close frame without a code (and so without a reason), 1006 and
   * 1015 become 1011, any other becomes 1000. There is a warning in the log for each of these but 1005.
   *
   * From now on no message reaches `onMessage` or {@link messages}: messages that wait or still come are
   * dropped and counted. Plain listeners hear the same messages as with bare ws.
   */
  close(code?: number, reason?: string | Buffer): void
  /**
   * Destroys the connection without a close frame, cause `server-terminate`. Never throws. Messages are
   * treated as after {@link close}.
   */
  terminate(): void
  /**
   * Sends a message, as in ws, but never throws because of the state of the connection. If the message came
   * too late, `callback` gets a `ConnectionClosedError`.
   *
   * The first message of a turn of the event loop leaves at once. The others of the same turn leave together
   * at its end, as one write; at most 16 KiB are held back. The first one waits for them too where it answers
   * the first of several messages that came together. So if a second of synchronous work follows in the same
   * turn, a message may leave only after that work.
   * @returns `false` above `outbox.highWaterMark`: the message was queued, so do not send it again, but wait
   * for {@link drained} before the next one. Also `false` where nothing was queued: the connection is no
   * longer open, or `outbox.overflow` dropped the message.
   */
  send(data: Data, callback?: (error?: Error) => void): boolean
  send(data: Data, options: SendOptions, callback?: (error?: Error) => void): boolean
  /**
   * Waits until the outbox is below its `highWaterMark`. Then it resolves with `true`. It resolves with
   * `false` once the connection is ending, but never in the same turn of the event loop. Never rejects.
   * @example
   * while (await socket.drained()) socket.send(await next())
   */
  drained(): Promise<boolean>
  /**
   * Returns the messages as an async iterator, from the same inbox as `onMessage`. A message counts as
   * handled when the loop asks for the next one.
   *
   * The loop ends when the connection has ended and the loop has taken all messages that came before. If the
   * app ends the connection, the loop ends at once. `break` gives the messages back to plain listeners.
   *
   * Listeners of `'message'` still get each message, just before the loop does. With `schema.message` the
   * loop gives the raw messages. If you take single messages with `next()`, call `return()` when you are
   * done: until then the loop counts as running.
   * @throws `FST_ERR_WSL_TWO_READERS` on a route with `onMessage`, and while another loop runs
   * @example
   * for await (const message of socket.messages()) socket.send(await answer(message))
   */
  messages(): AsyncIterableIterator<Message>
  /**
   * Changes the time at which the connection ends with cause `auth-expired`, for instance after a token was
   * renewed. `when` is a Date or epoch milliseconds.
   * @throws `FST_ERR_WSL_INVALID_OPTION` for anything else, such as seconds
   */
  expireAt(when: Date | number): void
  /** Whether reading is paused, by `pause()` or because the inbox is full. Neither undoes the other. */
  readonly isPaused: boolean
}
