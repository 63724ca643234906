import { WebSocket } from 'ws'
import { Inbox } from '../core/messages/inbox.js'
import type { Facts } from '../facts/facts.js'
import { handlerKeepsMessages, LOG_LINES } from '../facts/log-lines.js'
import { Deferred } from '../platform/deferred.js'
import { twoReaders } from '../errors.js'
import { type MessageCallsOwner, MessageCalls, toMessage } from './message-calls.js'
import { MessageLoop, type Taken } from './message-loop.js'
import { sizeOfReceived, toKept } from '../platform/payload.js'
import { queueMicrotask } from '../platform/real-time.js'
import type { Clock } from '../time/clock.js'
import type { Turns } from '../time/turns.js'
import type { Route } from '../routes/route.js'

/** What `Reader` needs of its connection. */
export interface ReaderOwner extends MessageCallsOwner {
  readonly shared: {
    readonly facts: Facts
    readonly clock: Clock
    readonly turns: Turns
    readonly maxPayload: number
  }
  readonly isOpen: boolean
  /** Whether the route's handler has returned, and what it returned has settled. */
  readonly isHandlerSettled: boolean
  /** Whether we have sent a close frame: reading goes on then, whatever is full. */
  readonly hasSentClose: boolean
  lookBy(at: number): void
  /** We did not read for so many ms. */
  noteUnread(duration: number): void
}

/** As ws gives it to the listeners of `'message'`. */
interface Received {
  readonly data: unknown
  readonly isBinary: boolean
  readonly bytes: number
  readonly era: number
}

/** What one read of a socket can hold on the wire. */
const ONE_READ = 65_536

/**
 * Brings a connection's messages to whoever handles them: `onMessage`, a loop over `messages()`, or
 * plain listeners. What nobody can handle yet waits in the inbox; when that is full reading pauses.
 */
export class Reader {
  /** How often the app has paused reading. */
  pauses = 0
  readonly #owner: ReaderOwner
  readonly #route: Route
  readonly #inbox: Inbox<Received>
  readonly #calls: MessageCalls
  /** So many bytes can only come of compression. */
  readonly #most: number
  #idle: Deferred<void> | undefined
  #caughtUp: Deferred<void> | undefined
  #loop: MessageLoop | undefined
  #isHandling = false
  #isPausedByApp = false
  /** The end has come as far as it waits for messages: no new ones will come. */
  #isEnding = false
  /** The app has ended the connection: plain listeners alone hear of messages. */
  #isDismissed = false
  #waitingSince = Infinity
  #pausedAt = 0

  constructor(owner: ReaderOwner, route: Route) {
    this.#owner = owner
    this.#route = route
    this.#inbox = new Inbox(route.settings.inbox)
    this.#calls = new MessageCalls(owner, route)
    const { maxBytes } = route.settings.inbox
    this.#most = maxBytes + Math.max(maxBytes, ONE_READ) + owner.shared.maxPayload
  }

  /** Whether messages wait or are being handled, or reading is paused. */
  get isBusy(): boolean {
    return !this.#inbox.isIdle || this.#owner.socket.isPaused
  }

  /** @returns whether plain listeners are to hear the message at once, and nobody else */
  accept(data: unknown, isBinary: boolean): boolean {
    const inbox = this.#inbox
    const isNext = inbox.waiting === 0
    if (isNext && this.#isPlain) return !this.#calls.tellsBlobs || this.#tellPlainly(data, isBinary)
    if (isNext && this.#isDismissed) return this.#skip(data, isBinary)
    if (isNext && this.#isReady && inbox.mayHandle && !this.#isHandling && !this.#isUnwelcome) {
      this.#handleNow(data, isBinary)
    } else {
      this.#keep(data, isBinary)
    }
    return false
  }

  /** Whether plain listeners get binary messages as Blobs. */
  set tellsBlobs(tellsBlobs: boolean) {
    this.#calls.tellsBlobs = tellsBlobs
  }

  /** No plain listener heard a message that is for nobody else. */
  unheard(data: unknown, isBinary: boolean): void {
    if (this.#owner.isHandlerSettled) this.#discard(1)
    else this.#keep(data, isBinary)
  }

  /** A plain listener was added; it hears what waits when whoever adds it has done so. */
  listened(): void {
    if (this.#inbox.waiting > 0) queueMicrotask(() => this.#proceed())
  }

  /** Messages need not wait for the route's handler any more; one that has refused wants none. */
  handlerSettled(hasRefused: boolean): void {
    this.#waitingSince = Infinity
    if (hasRefused) this.drop()
    else this.#proceed()
  }

  /** The inbox as a loop. */
  messages(): MessageLoop {
    const isLooping = this.#loop?.isDone === false
    if (this.#route.settings.onMessage !== undefined || isLooping) throw twoReaders(this.#route.url)
    this.#waitingSince = Infinity
    this.#loop = new MessageLoop({
      take: () => this.#take(),
      handled: ({ bytes, era }) => this.#handled(bytes, era),
      left: () => {
        this.#loop = undefined
        this.#proceed()
      },
    })
    if (this.#isEnding || this.#isDismissed) this.#loop.end()
    if (this.#isDismissed) this.#proceed()
    return this.#loop
  }

  /** `socket.pause()` and `socket.resume()`: what the inbox does is independent of it. */
  setPaused(isPaused: boolean): void {
    this.#isPausedByApp = isPaused
    if (isPaused) this.pauses++
    this.#setReading()
  }

  /** Resolves when nothing waits and nothing is being handled. */
  idle(): Promise<void> | undefined {
    return this.#inbox.isIdle ? undefined : (this.#idle ??= new Deferred<void>()).promise
  }

  /** Whether somebody has waited in vain: what had come by then is not handled yet. */
  get isBehind(): boolean {
    return this.#inbox.older > 0
  }

  /** Resolves when all that has come by now is handled, whatever comes meanwhile. */
  caughtUp(): Promise<void> | undefined {
    this.#inbox.beginEra()
    return this.#inbox.isIdle ? undefined : (this.#caughtUp ??= new Deferred<void>()).promise
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
    if (this.#inbox.waiting > 0) queueMicrotask(() => this.#proceed())
  }

  /** No new messages come: what was received is handled. @returns what to await */
  finish(): Promise<void> | undefined {
    this.#isEnding = true
    this.#loop?.end()
    return this.idle()
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
    this.#owner.shared.facts.messagesDropped(this.#inbox.clear())
    this.#ease()
  }

  /** @returns how long until the next look, in ms */
  look(now: number): number {
    const { cleanupTimeout } = this.#route.settings
    const remaining = this.#waitingSince + cleanupTimeout - now
    if (remaining > 0) return remaining
    this.#waitingSince = Infinity
    this.#route.logOnce(this.#owner.log, handlerKeepsMessages(cleanupTimeout))
    return Infinity
  }

  get #isPlain(): boolean {
    return this.#route.settings.onMessage === undefined && this.#loop === undefined
  }

  /** Whether `onMessage` may be called. */
  get #isReady(): boolean {
    const { onMessage } = this.#route.settings
    return onMessage !== undefined && this.#owner.isHandlerSettled && !this.#isDismissed
  }

  #keep(data: unknown, isBinary: boolean): void {
    const inbox = this.#inbox
    const { shared } = this.#owner
    if (this.#isUnwelcome) {
      shared.facts.messagesDropped(1)
      return
    }
    inbox.push({ data: toKept(data), isBinary, bytes: sizeOfReceived(data), era: inbox.era })
    const isHandlerAwaited = !this.#owner.isHandlerSettled && this.#loop === undefined
    if (isHandlerAwaited && this.#waitingSince === Infinity) {
      this.#waitingSince = shared.clock.now()
      this.#owner.lookBy(this.#waitingSince + this.#route.settings.cleanupTimeout)
    }
    this.#loop?.offer()
    if (inbox.waiting > 0) shared.turns.linger()
    this.#keepBounds()
  }

  /** Reading pauses, but ws hands over all that one read holds, and that may be compressed. */
  #keepBounds(): void {
    this.#setReading()
    if (this.#inbox.bytes > this.#most) this.#owner.end('message-too-big', 1009)
  }

  /** Where neither a pause nor an end of ours can keep messages away: they are dropped. */
  get #isUnwelcome(): boolean {
    const { isOpen, hasSentClose } = this.#owner
    if (isOpen) return false
    return (hasSentClose && !this.#inbox.hasRoom) || this.#inbox.bytes > this.#most
  }

  #proceed(): void {
    this.#owner.context.enter(() => this.#proceedInContext(), undefined)
  }

  /** Sees to what waits, as far as somebody can handle it. */
  #proceedInContext(): void {
    const inbox = this.#inbox
    while (this.#isPlain && this.#calls.hasListeners) {
      const received = inbox.shift()
      if (received === undefined) break
      this.#calls.tellListeners(received.data, received.isBinary)
      inbox.end(received.bytes, received.era)
    }
    while (this.#isReady && inbox.mayHandle) {
      const received = inbox.shift()
      if (received === undefined) break
      this.#handle(received)
    }
    while (this.#isDismissed && !this.#isPlain) {
      const received = inbox.shift()
      if (received === undefined) break
      this.#skip(received.data, received.isBinary)
      inbox.end(received.bytes, received.era)
    }
    if (this.#isPlain && this.#owner.isHandlerSettled) this.#discard(inbox.clear())
    this.#ease()
  }

  /** The first message that waits goes to the loop. */
  #take(): Taken | undefined {
    const received = this.#isDismissed ? undefined : this.#inbox.shift()
    if (received === undefined) return undefined
    const { data, isBinary, bytes, era } = received
    this.#calls.tellListeners(data, isBinary)
    if (!this.#mayTake()) {
      this.#owner.shared.facts.messagesDropped(1)
      this.#handled(bytes, era)
      return undefined
    }
    return { message: toMessage(data, isBinary), bytes, era }
  }

  /** Asked anew, as a listener may just have ended the connection. */
  #mayTake(): boolean {
    return !this.#isDismissed
  }

  /** In the place of ws's own event, which has the parts of a message. */
  #tellPlainly(data: unknown, isBinary: boolean): false {
    if (this.#calls.hasListeners) this.#calls.tellListeners(data, isBinary)
    else this.unheard(data, isBinary)
    return false
  }

  /** Plain listeners hear it, and nobody else. */
  #skip(data: unknown, isBinary: boolean): false {
    this.#calls.tellListeners(data, isBinary)
    this.#owner.shared.facts.messagesDropped(1)
    return false
  }

  /** What a synchronous `onMessage` has handled at once never was in the inbox. */
  #handleNow(data: unknown, isBinary: boolean): void {
    this.#isHandling = true
    const waiting = this.#calls.handle(data, isBinary)
    this.#isHandling = false
    if (waiting !== undefined) {
      const bytes = sizeOfReceived(data)
      const { era } = this.#inbox
      this.#inbox.begin(bytes)
      void waiting.then(() => this.#handled(bytes, era))
      this.#keepBounds()
    }
    // The app itself may have emitted one meanwhile.
    if (this.#inbox.waiting > 0) this.#proceed()
  }

  #handle({ data, isBinary, bytes, era }: Received): void {
    const waiting = this.#calls.handle(data, isBinary)
    if (waiting === undefined) this.#inbox.end(bytes, era)
    else void waiting.then(() => this.#handled(bytes, era))
  }

  /** One that was not handled at once. */
  #handled(bytes: number, era: number): void {
    this.#inbox.end(bytes, era)
    this.#proceed()
  }

  #discard(count: number): void {
    if (count === 0) return
    const { shared, isOpen, log } = this.#owner
    shared.facts.messagesDropped(count)
    if (!isOpen) return
    this.#route.logOnce(log, LOG_LINES.messageDiscarded)
  }

  /** Something was handled or dropped: reading may go on, and whoever waits for it too. */
  #ease(): void {
    this.#setReading()
    if (this.#inbox.waiting === 0) this.#waitingSince = Infinity
    if (this.#inbox.older === 0) {
      this.#caughtUp?.resolve()
      this.#caughtUp = undefined
    }
    if (!this.#inbox.isIdle) return
    this.#idle?.resolve()
    this.#idle = undefined
  }

  #setReading(): void {
    const { socket, isOpen } = this.#owner
    const isPaused = this.#isPausedByApp || (isOpen && this.#inbox.isFull)
    if (isPaused === socket.isPaused) return
    const now = this.#owner.shared.clock.now()
    if (isPaused) {
      this.#pausedAt = now
      WebSocket.prototype.pause.call(socket)
    } else {
      WebSocket.prototype.resume.call(socket)
      this.#owner.noteUnread(now - this.#pausedAt)
    }
  }
}
