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
 * The inbox of one connection, with all that follows from what is in it: reading pauses and goes on, the turn of the
 * loop lingers, who waits is told. When it is full is decided in the core. Its parts are made when they are needed.
 */
export class MessageInbox extends Inbox<Received> {
  /** How often the app has paused reading. */
  pausesByApp = 0
  readonly #owner: InboxOwner
  readonly #route: Route
  /** Made at the first message that waits, or at the first pause: before that nothing is full, and nothing paused. */
  #reading: Reading | undefined
  /** Made for the first who waits until messages have been handled. */
  #waiters: InboxWaiters | undefined
  /** Made at the first message that waits for the route's handler. */
  #handlerWait: HandlerWait | undefined

  constructor(owner: InboxOwner, route: Route) {
    super(route.settings.inbox)
    this.#owner = owner
    this.#route = route
  }

  /** Whether a message that comes now has to be dropped: the connection ends, and nothing keeps messages away. */
  get isFlooded(): boolean {
    return !this.#owner.isOpen && this.#getReading().isFlooded
  }

  /** `socket.pause()` and `socket.resume()`: what a full inbox does is independent of it. */
  setPausedByApp(isPaused: boolean): void {
    if (isPaused) this.pausesByApp++
    this.#getReading().setPausedByApp(isPaused)
  }

  /** A message has to wait. Once it has been offered to all who may take it, {@link messageAdded} has to be called. */
  add(data: unknown, isBinary: boolean): void {
    this.#getReading()
    this.push({ data: toKept(data), isBinary, bytes: sizeOfReceived(data), era: this.era })
  }

  /** A message waits, or is being handled and takes its time. */
  messageAdded(): void {
    if (this.waiting > 0) this.#owner.shared.turns.linger()
    this.#getReading().messageAdded()
  }

  /** Something was handled or dropped: reading may go on, and who waits for it is told. */
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

  /** Whether somebody has waited in vain: what had come by then is not handled yet. */
  get isBehind(): boolean {
    return this.older > 0
  }

  /** Resolves when nothing waits and nothing is being handled. */
  untilIdle(): Promise<void> | undefined {
    return this.isIdle ? undefined : this.#getWaiters().untilIdle()
  }

  /** Resolves when all that has come by now is handled, whatever comes meanwhile. */
  untilCaughtUp(): Promise<void> | undefined {
    this.beginEra()
    return this.isIdle ? undefined : this.#getWaiters().untilCaughtUp()
  }

  /**
   * Warns where messages have waited for the route's handler for too long.
   * @returns how long until that may be, in ms
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
