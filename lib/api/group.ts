import type { LifecycleSession } from './session.js'
import type { Data, LifecycleSocket } from './socket.js'

/** Who can be in a group: a socket, or a session on a route with `resume`. Both have what a room needs. */
export type GroupMember = LifecycleSocket | LifecycleSession

/** The options of {@link Group.send}. */
export interface GroupSendOptions {
  /** Who does not get it, such as the one who has said it. @default undefined: all get it */
  except?: GroupMember | undefined
  /** Whether it is sent as a binary message. @default true for bytes, false for a string */
  binary?: boolean | undefined
  /** Whether it may be compressed, as in ws. @default true */
  compress?: boolean | undefined
}

/** How many members get a message of {@link Group.send}. */
export interface GroupSendResult {
  /** Number of members whose outbox has taken it. A member that is gone before it was written does not get it. */
  readonly sent: number
  /**
   * Number of members whose outbox had no room. `outbox.overflow` of their route says what became of them: the
   * message was dropped, or the connection ends.
   */
  readonly dropped: number
}

/**
 * The connections that have something in common: a room, a topic, all tabs of a user. It is of this process.
 *
 * A connection leaves by itself when it leaves OPEN, whatever has ended it. That is before `onClose`. A session
 * stays while it is suspended, and gets all that was sent when its client is back. A group without members takes
 * no memory; its name and its handle can be used again at any time.
 */
export interface Group extends Iterable<GroupMember> {
  readonly name: string
  /** Number of members. */
  readonly size: number
  /**
   * Makes it a member. Does nothing if it is one already.
   * @returns whether it is a member now: `false` if it has left OPEN or is about to ({@link close}), or the session is ending
   * @throws `FST_ERR_WSL_INVALID_OPTION` if it is no socket and no session of this app
   */
  add(who: GroupMember): boolean
  /**
   * Ends its membership. It still gets what was sent to the group before.
   * @returns whether it was a member
   * @throws as {@link add}
   */
  delete(who: GroupMember): boolean
  /** @throws as {@link add} */
  has(who: GroupMember): boolean
  /**
   * Sends a message to all who are members now, each by the rules of its own outbox: a slow reader holds up
   * nobody. Never throws because of the state of a connection.
   *
   * The frame is made once for all. With permessage-deflate without context takeover it is compressed once for
   * each window size that members have negotiated (RFC 7692 §7.1); with context takeover for each member. A Blob is
   * read by each connection for itself.
   *
   * A large group is served for 4 ms, then other work has a turn, and so on. Each member gets everything in the
   * order in which it was sent, also what is sent to it alone meanwhile.
   * @throws `TypeError` if `data` cannot be sent; `FST_ERR_WSL_INVALID_OPTION` for a wrong option
   * @example
   * app.websocketLifecycle.group('room:7').send('hello', { except: socket })
   */
  send(data: Data, options?: GroupSendOptions): GroupSendResult
  /**
   * Calls `close` of all who are members now, behind all that was sent to them before. A large group takes more
   * than one turn of the event loop. What is sent to the group later does not reach them.
   */
  close(code?: number, reason?: string | Buffer): void
  /** The members, in the order in which they came. They may come and go meanwhile, as in a `Set`. */
  [Symbol.iterator](): IterableIterator<GroupMember>
}
