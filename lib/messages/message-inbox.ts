import { Inbox } from '../core/messages/inbox.js'
import { sizeOfReceived, toKept } from '../platform/payload.js'
import type { Route } from '../routes/route.js'
import type { Turns } from '../time/turns.js'
import { HandlerWait, type HandlerWaitOwner } from './handler-wait.js'
import { InboxWaiters } from './inbox-waiters.js'
import { Reading, type ReadingOwner } from './reading.js'

/** What `MessageInbox` needs of its connection. */
export interface InboxOwner extends ReadingOwner, HandlerWaitOwner {
  readonly shared: ReadingOwner['shared'] & { readonly turns: Turns }
}

/** A message in the inbox, as ws gives it to the listeners of `'message'`. */
export interface Received {
  readonly data: unknown
  readonly isBinary: boolean
  readonly bytes: number
  readonly era: number
}

/**
 * The inbox of one connection, with everything that follows from its content: reading pauses and goes on, the
 * turn of the loop lingers, and code that waits for messages is told. The core decides when it is full. Its
 * parts are made when they are needed.
 */
export class MessageInbox extends Inbox<Received> {
  /** Number of times that the app has paused reading. */
  pausesByApp = 0
  readonly #owner: InboxOwner
  readonly #route: Route
  /**
   * Made at the first message that waits, or at the first pause. Before that nothing can be full or paused.
   */
  #reading: Reading | undefined
  /** Made when something first waits until messages have been handled. */
  #waiters: InboxWaiters | undefined
  /** Made at the first message that waits for the route's handler. */
  #handlerWait: HandlerWait | undefined

  constructor(owner: InboxOwner, route: Route) {
    super(route.settings.inbox)
    this.#owner = owner
    this.#route = route
  }

  /**
   * Whether a message that comes now has to be dropped: the connection is ending, and a pause would not keep
   * messages away.
   */
  get isFlooded(): boolean {
    return !this.#owner.isOpen && this.#getReading().isFlooded
  }

  /** Carries out `socket.pause()` and `socket.resume()`. The pause of a full inbox is independent of them. */
  setPausedByApp(isPaused: boolean): void {
    if (isPaused) this.pausesByApp++
    this.#getReading().setPausedByApp(isPaused)
  }

  /** A message has to wait. When it has been offered to all that may take it, call {@link messageAdded}. */
  add(data: unknown, isBinary: boolean): void {
    this.#getReading()
    this.push({ data: toKept(data), isBinary, bytes: sizeOfReceived(data), era: this.era })
  }

  /** A message waits, or its handling is asynchronous. */
  messageAdded(): void {
    if (this.waiting > 0) this.#owner.shared.turns.linger()
    this.#getReading().messageAdded()
  }

  /** A message was handled or dropped: reading may go on, and code that waits for it is told. */
  messagesLeft(): void {
    this.#reading?.update()
    if (this.waiting === 0) this.endHandlerWait()
    this.#waiters?.tell(this)
  }

  /** A message waits for the route's handler to settle. */
  beginHandlerWait(): void {
    this.#handlerWait ??= new HandlerWait(this.#owner, this.#route)
    this.#handlerWait.begin()
  }

  /** No message waits for the route's handler any more. */
  endHandlerWait(): void {
    this.#handlerWait?.end()
  }

  /** Whether messages of an earlier era are still not handled: then somebody has waited for them in vain. */
  get isBehind(): boolean {
    return this.older > 0
  }

  /** Resolves when nothing waits and nothing is being handled. */
  untilIdle(): Promise<void> | undefined {
    return this.isIdle ? undefined : this.#getWaiters().untilIdle()
  }

  /** Resolves when all messages that have come by now are handled, whatever comes meanwhile. */
  untilCaughtUp(): Promise<void> | undefined {
    this.beginEra()
    return this.isIdle ? undefined : this.#getWaiters().untilCaughtUp()
  }

  /**
   * Warns if messages have waited for the route's handler too long.
   * @returns how long until the next look, in ms
   */
  warnOfHandler(now: number): number {
    return this.#handlerWait?.warnWhenLong(now) ?? Infinity
  }

  #getReading(): Reading {
    return (this.#reading ??= new Reading(this.#owner, this, this.#route.settings.inbox.maxBytes))
  }

  #getWaiters(): InboxWaiters {
    return (this.#waiters ??= new InboxWaiters())
  }
}
