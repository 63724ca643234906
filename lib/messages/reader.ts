import { twoReaders } from '../errors.js'
import type { Facts } from '../facts/facts.js'
import { sizeOfReceived } from '../platform/payload.js'
import { queueMicrotask } from '../platform/real-time.js'
import type { Route } from '../routes/route.js'
import { type MessageCallsOwner, MessageCalls, toMessage } from './message-calls.js'
import { type InboxOwner, MessageInbox, type Received } from './message-inbox.js'
import { MessageLoop, type Taken } from './message-loop.js'

/** What `Reader` needs of its connection. */
export interface ReaderOwner extends MessageCallsOwner, InboxOwner {
  readonly shared: InboxOwner['shared'] & { readonly facts: Facts }
  readonly socket: MessageCallsOwner['socket']
  /** Whether the route's handler has returned, and the promise that it returned has settled. */
  readonly isHandlerSettled: boolean
  /** Whether messages have to wait, although somebody could take them. See {@link Reader.goOn}. */
  readonly isHolding: boolean
}

/**
 * Decides who gets a message of a connection, and when: `onMessage`, a loop over `messages()`, or plain
 * listeners. A message that nobody can handle yet waits in the inbox.
 *
 * The connection calls it for each message that ws has received, and at each step towards the end. It never
 * calls the app itself (`MessageCalls` does), and counts each message that it drops. A connection has no
 * reader as long as only plain listeners get its messages, and none has to wait.
 */
export class Reader {
  readonly inbox: MessageInbox
  readonly #owner: ReaderOwner
  readonly #route: Route
  readonly #calls: MessageCalls
  #loop: MessageLoop | undefined
  /** Whether `onMessage` is being called now, from {@link accept}. */
  #isHandling = false
  /** Whether no new messages will come, because the end now waits for the last ones. */
  #isEnding = false
  /** Whether the app has ended the connection: only plain listeners get messages then. */
  #isDismissed = false

  constructor(owner: ReaderOwner, route: Route) {
    this.#owner = owner
    this.#route = route
    this.inbox = new MessageInbox(owner, route)
    this.#calls = new MessageCalls(owner, route)
  }

  /** Whether messages wait or are being handled, or reading is paused. */
  get isBusy(): boolean {
    return !this.inbox.isIdle || this.#owner.socket.isPaused
  }

  /**
   * A message has come.
   * @returns whether plain listeners get it now from ws, and nobody else gets it
   */
  accept(data: unknown, isBinary: boolean): boolean {
    if (this.inbox.waiting > 0) {
      this.#putInInbox(data, isBinary)
    } else if (this.#isForListeners) {
      return !this.#calls.tellsBlobs || this.#tellListenersInParts(data, isBinary)
    } else if (this.#isDismissed) {
      this.#calls.tellListenersOnly(data, isBinary)
    } else if (this.#mayHandleNow) {
      this.#handleNow(data, isBinary)
    } else {
      this.#putInInbox(data, isBinary)
    }
    return false
  }

  /** Whether plain listeners get binary messages as Blobs. */
  set tellsBlobs(tellsBlobs: boolean) {
    this.#calls.tellsBlobs = tellsBlobs
  }

  /** No plain listener got a message that is for nobody else. */
  unheard(data: unknown, isBinary: boolean): void {
    if (this.#owner.isHandlerSettled) this.#calls.discard(1)
    else this.#putInInbox(data, isBinary)
  }

  /**
   * A plain listener was added. It gets the messages that wait, but only after the code that adds it has run.
   */
  listened(): void {
    if (this.inbox.waiting > 0) queueMicrotask(() => this.#serveWaiting())
  }

  /**
   * The route's handler has settled, so messages need not wait for it any more. If the handler has refused,
   * it wants none of them.
   */
  handlerSettled(hasRefused: boolean): void {
    this.inbox.endHandlerWait()
    if (hasRefused) this.drop()
    else this.#serveWaiting()
  }

  /** Messages need not wait any more because of {@link ReaderOwner.isHolding}. */
  goOn(): void {
    this.#loop?.offer()
    this.#serveWaiting()
  }

  /** Makes the loop of `socket.messages()`. */
  messages(): MessageLoop {
    const isLooping = this.#loop?.isDone === false
    if (this.#route.settings.onMessage !== undefined || isLooping) throw twoReaders(this.#route.url)
    this.inbox.endHandlerWait()
    this.#loop = new MessageLoop({
      take: () => this.#takeForLoop(),
      handled: ({ bytes, era }) => this.#noteHandled(bytes, era),
      left: () => {
        this.#loop = undefined
        this.#serveWaiting()
      },
    })
    if (this.#isEnding || this.#isDismissed) this.#loop.end()
    if (this.#isDismissed) this.#serveWaiting()
    return this.#loop
  }

  /**
   * The app has ended the connection itself. From now on no message reaches `onMessage` or `messages()`.
   * Plain listeners get the same messages as with bare ws.
   */
  dismiss(): void {
    this.#isDismissed = true
    this.#calls.isDropping = true
    this.#loop?.end()
    // Not synchronously: the app is still within its call of `close()`.
    if (this.inbox.waiting > 0) queueMicrotask(() => this.#serveWaiting())
  }

  /**
   * No new messages come. Those that came are still handled.
   * @returns what to await
   */
  finish(): Promise<void> | undefined {
    this.#isEnding = true
    this.#loop?.end()
    return this.inbox.untilIdle()
  }

  /** Drops the messages that wait, and leaves those behind that are being handled. */
  abandon(): void {
    this.#isEnding = true
    this.#calls.isLeftBehind = true
    this.drop()
    this.#loop?.end()
  }

  /** Drops the messages that wait. From now on no message is given to anybody. */
  drop(): void {
    this.#calls.isDropping = true
    this.#owner.shared.facts.messagesDropped(this.#owner, 'received', this.inbox.clear())
    this.inbox.messagesLeft()
  }

  /** Whether only plain listeners get messages. */
  get #isForListeners(): boolean {
    return this.#route.settings.onMessage === undefined && this.#loop === undefined
  }

  /** Whether `onMessage` may be called. */
  get #mayCallOnMessage(): boolean {
    const { onMessage } = this.#route.settings
    const { isHandlerSettled, isHolding } = this.#owner
    return onMessage !== undefined && isHandlerSettled && !isHolding && !this.#isDismissed
  }

  /** Whether `onMessage` may be called now for a message that has just come. */
  get #mayHandleNow(): boolean {
    const inbox = this.inbox
    return this.#mayCallOnMessage && inbox.mayHandle && !this.#isHandling && !inbox.isFlooded
  }

  #putInInbox(data: unknown, isBinary: boolean): void {
    const inbox = this.inbox
    if (inbox.isFlooded) {
      this.#owner.shared.facts.messagesDropped(this.#owner, 'received')
      return
    }
    inbox.add(data, isBinary)
    if (!this.#owner.isHandlerSettled && this.#loop === undefined) inbox.beginHandlerWait()
    this.#loop?.offer()
    inbox.messageAdded()
  }

  #serveWaiting(): void {
    this.#owner.context.enter(() => this.#serveTimed(), undefined)
  }

  #serveTimed(): void {
    const { loop } = this.#owner.shared.facts
    if (!loop.timesMessages) this.#serveInContext()
    else loop.time(this.#owner, 'messages', () => this.#serveInContext())
  }

  /** Gives the messages that wait to those that can handle them, in the order in which they came. */
  #serveInContext(): void {
    const inbox = this.inbox
    while (this.#mayServe) {
      const received = inbox.shift()
      if (received === undefined) break
      this.#serve(received)
    }
    if (this.#isForListeners && this.#owner.isHandlerSettled) this.#calls.discard(inbox.clear())
    inbox.messagesLeft()
  }

  /**
   * Whether the first message that waits can be handled now. A loop does not count: it asks for messages
   * itself.
   */
  get #mayServe(): boolean {
    if (this.#isForListeners) return this.#calls.hasListeners
    return this.#isDismissed || (this.#mayCallOnMessage && this.inbox.mayHandle)
  }

  #serve({ data, isBinary, bytes, era }: Received): void {
    if (this.#mayCallOnMessage) {
      const waiting = this.#calls.handle(data, isBinary)
      if (waiting !== undefined) {
        void waiting.then(() => this.#noteHandled(bytes, era))
        return
      }
    } else if (this.#isForListeners) {
      this.#calls.tellListeners(data, isBinary)
    } else {
      this.#calls.tellListenersOnly(data, isBinary)
    }
    this.inbox.end(bytes, era)
  }

  /** Takes the first message that waits for the loop. */
  #takeForLoop(): Taken | undefined {
    const isKept = this.#isDismissed || this.#owner.isHolding
    const received = isKept ? undefined : this.inbox.shift()
    if (received === undefined) return undefined
    const { data, isBinary, bytes, era } = received
    this.#calls.tellListeners(data, isBinary)
    // A listener may have ended the connection just now.
    if (this.#isDismissed) {
      this.#owner.shared.facts.messagesDropped(this.#owner, 'received')
      this.#noteHandled(bytes, era)
      return undefined
    }
    return { message: toMessage(data, isBinary), bytes, era }
  }

  /** Used instead of ws's own event, which has the parts of a message. */
  #tellListenersInParts(data: unknown, isBinary: boolean): false {
    if (this.#calls.hasListeners) this.#calls.tellListeners(data, isBinary)
    else this.unheard(data, isBinary)
    return false
  }

  /** A message that a synchronous `onMessage` handles at once is never in the inbox. */
  #handleNow(data: unknown, isBinary: boolean): void {
    this.#isHandling = true
    const waiting = this.#calls.handle(data, isBinary)
    this.#isHandling = false
    if (waiting !== undefined) {
      const bytes = sizeOfReceived(data)
      const { era } = this.inbox
      this.inbox.begin(bytes)
      void waiting.then(() => this.#noteHandled(bytes, era))
      this.inbox.messageAdded()
    }
    // The app itself may have emitted a message meanwhile.
    if (this.inbox.waiting > 0) this.#serveWaiting()
  }

  /** A message has been handled that was not handled at once. */
  #noteHandled(bytes: number, era: number): void {
    this.inbox.end(bytes, era)
    this.#serveWaiting()
  }
}
