import type { FastifyRequest } from 'fastify'
import type { CloseInfo } from '../core/close/info.js'
import type { ConnectionScope } from '../core/scope.js'
import type { Data, LifecycleSocket, Message, SendOptions } from './socket.js'

/**
 * What the handler and the hooks of a route with `resume` get in place of a socket: one client, over one or
 * more connections. It is no WebSocket. It has these members of a {@link LifecycleSocket}, and
 * {@link suspended}.
 *
 * When the network loses the connection, the session is suspended, and waits for its client for
 * `resume.window`. A close frame is no loss: it ends the session. A client that does not speak our protocol
 * has a session too. It ends with its one connection, and is never suspended.
 */
export interface LifecycleSession extends Pick<
  LifecycleSocket,
  | 'id'
  | 'request'
  | 'protocol'
  | 'scope'
  | 'closed'
  | 'groups'
  | 'latency'
  | 'send'
  | 'drained'
  | 'messages'
  | 'close'
  | 'terminate'
  | 'expireAt'
> {
  /**
   * A UUID, unique across processes; the same over all connections of the session. Use it as a key for state
   * that must not outlive this session.
   */
  readonly id: string
  /**
   * The upgrade request that began the session, with everything that the route's hooks have added to it.
   * `onResume` gets the request of each later connection.
   */
  readonly request: FastifyRequest
  /** The subprotocol that was chosen; `''` if there is none. It is the same on all connections. */
  readonly protocol: string
  /**
   * The same object as `request.wsScope`. It lives as long as the session: its signal does not abort while the
   * session is suspended. (The `wsScope` of a later upgrade request ends with the connection of that request.)
   */
  readonly scope: ConnectionScope
  /**
   * Resolves with the {@link CloseInfo} when the session has ended and all hooks and releases have run. Never
   * rejects.
   *
   * If the client did not come back in time, `cause` and `code` are those of the lost connection. Counts and
   * `duration` are those of the whole session.
   *
   * Do not await it inside a handler, a hook or a release of the same session. It waits for these to finish,
   * so that would cost them a whole `cleanupTimeout`. Use `scope.signal` there.
   */
  readonly closed: Promise<CloseInfo>
  /** The names of the groups that it is in, also while it is suspended. Empty once it is ending. */
  readonly groups: readonly string[]
  /**
   * Round trip of the last answered keepalive ping of this connection, in ms. `undefined` until one was
   * answered, and while the session is suspended.
   */
  readonly latency: number | undefined
  /** Whether the session has no connection now, and waits for its client. `false` once it is ending. */
  readonly suspended: boolean
  /**
   * Ends the session with a close frame, cause `server-close`. Its arguments are treated as those of
   * `close()` of a socket. Does nothing once the session is ending. Never throws.
   *
   * While the session is suspended, it ends at once: nobody gets a frame, and `code` in the
   * {@link CloseInfo} is 1006.
   *
   * From now on no message reaches `onMessage` or {@link messages}: messages that wait or still come are
   * dropped and counted.
   */
  close(code?: number, reason?: string | Buffer): void
  /**
   * Ends the session without a close frame, cause `server-terminate`, also while it is suspended. Never
   * throws. Messages are treated as after {@link close}.
   */
  terminate(): void
  /**
   * Sends a message, or keeps it while the session is suspended. It is kept until the client has confirmed
   * it, and sent again on the next connection if that one was lost before. So `outbox.maxBytes` bounds what is
   * not confirmed. Never throws because of the state of the session.
   *
   * `callback` is called without an error when the client has confirmed the message; for a client that does
   * not speak our protocol, when the message is written. It gets a `ConnectionClosedError` if the session ends
   * before, or if the message came too late.
   * @returns `false` above `outbox.highWaterMark`: the message was queued, so do not send it again, but wait
   * for {@link drained} before the next one. Also `false` where nothing was queued: the session has ended, or
   * `outbox.overflow` dropped the message.
   * @throws `TypeError` for `fin: false`: a session takes whole messages only, no fragments
   */
  send(data: Data, callback?: (error?: Error) => void): boolean
  send(data: Data, options: SendOptions, callback?: (error?: Error) => void): boolean
  /**
   * Waits until the outbox is below its `highWaterMark`; that may take until the client is back. Then it
   * resolves with `true`. It resolves with `false` once the session is ending, but never in the same turn of
   * the event loop. Never rejects.
   * @example
   * while (await session.drained()) session.send(await next())
   */
  drained(): Promise<boolean>
  /**
   * Returns the messages as an async iterator, from the same inbox as `onMessage`. It goes on over all
   * connections of the session: while the session is suspended, the loop waits. A message counts as handled
   * when the loop asks for the next one.
   *
   * The loop ends when the session has ended and the loop has taken all messages that came before. If the app
   * ends the session, the loop ends at once.
   *
   * With `schema.message` the loop gives the raw messages. If you take single messages with `next()`, call
   * `return()` when you are done: until then the loop counts as running.
   * @throws `FST_ERR_WSL_TWO_READERS` on a route with `onMessage`, and while another loop runs
   * @example
   * for await (const message of session.messages()) session.send(await answer(message))
   */
  messages(): AsyncIterableIterator<Message>
  /**
   * Changes the time at which the session ends with cause `auth-expired`, also while it is suspended. `when`
   * is a Date or epoch milliseconds. `expiresAt` of the route is asked again for each later connection, and
   * its answer replaces this time.
   * @throws `FST_ERR_WSL_INVALID_OPTION` for anything else, such as seconds
   */
  expireAt(when: Date | number): void
}
