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
  /** Whether the route's handler has returned, and what it returned has settled. */
  readonly isHandlerSettled: boolean
}

/**
 * Who gets a message of a connection, and when: `onMessage`, a loop over `messages()`, or plain listeners. What nobody
 * can handle yet waits in the inbox. The connection calls it for each message that ws has received, and at each step
 * towards the end. It never calls the app itself (see `MessageCalls`), and drops no message without counting it. A
 * connection has none as long as only plain listeners hear its messages, and none must wait.
 */
export class Reader {
  readonly inbox: MessageInbox
  readonly #owner: ReaderOwner
  readonly #route: Route
  readonly #calls: MessageCalls
  #loop: MessageLoop | undefined
  /** `onMessage` is being called, from {@link accept}. */
  #isHandling = false
  /** The end has come as far as it waits for messages: no new ones will come. */
  #isEnding = false
  /** The app has ended the connection: plain listeners alone hear of messages. */
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

  /** @returns whether plain listeners are to hear the message at once, and nobody else */
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

  /** No plain listener heard a message that is for nobody else. */
  unheard(data: unknown, isBinary: boolean): void {
    if (this.#owner.isHandlerSettled) this.#calls.discard(1)
    else this.#putInInbox(data, isBinary)
  }

  /** A plain listener was added; it hears what waits when whoever adds it has done so. */
  listened(): void {
    if (this.inbox.waiting > 0) queueMicrotask(() => this.#serveWaiting())
  }

  /** Messages need not wait for the route's handler any more; one that has refused wants none. */
  handlerSettled(hasRefused: boolean): void {
    this.inbox.endHandlerWait()
    if (hasRefused) this.drop()
    else this.#serveWaiting()
  }

  /** The inbox as a loop. */
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
   * The app has ended the connection itself. Nothing more reaches `onMessage` or `messages()`; plain listeners hear what they
   * would have heard of ws.
   */
  dismiss(): void {
    this.#isDismissed = true
    this.#calls.isDropping = true
    this.#loop?.end()
    // Not within the app's own `close()`.
    if (this.inbox.waiting > 0) queueMicrotask(() => this.#serveWaiting())
  }

  /** No new messages come: what was received is handled. @returns what to await */
  finish(): Promise<void> | undefined {
    this.#isEnding = true
    this.#loop?.end()
    return this.inbox.untilIdle()
  }

  /** What still waits is dropped, and what is still being handled is left behind. */
  abandon(): void {
    this.#isEnding = true
    this.#calls.isLeftBehind = true
    this.drop()
    this.#loop?.end()
  }

  /** Drops what waits; from now on nothing is handed to anybody. */
  drop(): void {
    this.#calls.isDropping = true
    this.#owner.shared.facts.messagesDropped(this.inbox.clear())
    this.inbox.messagesLeft()
  }

  /** Whether plain listeners alone read. */
  get #isForListeners(): boolean {
    return this.#route.settings.onMessage === undefined && this.#loop === undefined
  }

  /** Whether `onMessage` may be called. */
  get #mayCallOnMessage(): boolean {
    const { onMessage } = this.#route.settings
    return onMessage !== undefined && this.#owner.isHandlerSettled && !this.#isDismissed
  }

  /** Whether `onMessage` may be called for a message that has just come, and need not wait. */
  get #mayHandleNow(): boolean {
    const inbox = this.inbox
    return this.#mayCallOnMessage && inbox.mayHandle && !this.#isHandling && !inbox.isFlooded
  }

  #putInInbox(data: unknown, isBinary: boolean): void {
    const inbox = this.inbox
    if (inbox.isFlooded) {
      this.#owner.shared.facts.messagesDropped(1)
      return
    }
    inbox.add(data, isBinary)
    if (!this.#owner.isHandlerSettled && this.#loop === undefined) inbox.beginHandlerWait()
    this.#loop?.offer()
    inbox.messageAdded()
  }

  #serveWaiting(): void {
    this.#owner.context.enter(() => this.#serveInContext(), undefined)
  }

  /** Brings what waits to whoever can handle it, in the order in which it came. */
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

  /** Whether somebody can handle the first message that waits, other than a loop, which asks for it. */
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

  /** The first message that waits goes to the loop. */
  #takeForLoop(): Taken | undefined {
    const received = this.#isDismissed ? undefined : this.inbox.shift()
    if (received === undefined) return undefined
    const { data, isBinary, bytes, era } = received
    this.#calls.tellListeners(data, isBinary)
    // A listener may just have ended the connection.
    if (this.#isDismissed) {
      this.#owner.shared.facts.messagesDropped(1)
      this.#noteHandled(bytes, era)
      return undefined
    }
    return { message: toMessage(data, isBinary), bytes, era }
  }

  /** In the place of ws's own event, which has the parts of a message. */
  #tellListenersInParts(data: unknown, isBinary: boolean): false {
    if (this.#calls.hasListeners) this.#calls.tellListeners(data, isBinary)
    else this.unheard(data, isBinary)
    return false
  }

  /** What a synchronous `onMessage` has handled at once never was in the inbox. */
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
    // The app itself may have emitted one meanwhile.
    if (this.inbox.waiting > 0) this.#serveWaiting()
  }

  /** One that was not handled at once. */
  #noteHandled(bytes: number, era: number): void {
    this.inbox.end(bytes, era)
    this.#serveWaiting()
  }
}
