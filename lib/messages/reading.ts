import { WebSocket } from 'ws'
import type { CauseWithCode } from '../core/close/policy.js'
import type { Facts } from '../facts/facts.js'
import type { RecordedSubject } from '../facts/subjects.js'
import type { Clock } from '../time/clock.js'

/** What `Reading` needs of its connection. */
export interface ReadingOwner extends RecordedSubject {
  readonly shared: { readonly clock: Clock; readonly facts: Facts; readonly maxPayload: number }
  readonly socket: WebSocket
  readonly isOpen: boolean
  /** Whether we have sent a close frame. Reading goes on then, even if the inbox is full. */
  readonly hasSentClose: boolean
  /** Called when reading goes on. We did not read for `duration` ms. */
  noteUnread(duration: number): void
  end(cause: CauseWithCode, reason?: string): void
}

/** How full the inbox is. */
export interface InboxLevel {
  readonly bytes: number
  readonly isFull: boolean
  readonly hasRoom: boolean
}

/** The most bytes that one read of a socket holds on the wire. */
const ONE_READ = 65_536

/**
 * Pauses and resumes the reading of a connection. The app can pause it, and so can a full inbox: two flags
 * control the one pause of ws. Messages that a pause cannot keep away are counted here, and above a bound the
 * connection ends.
 */
export class Reading {
  readonly #owner: ReadingOwner
  readonly #inbox: InboxLevel
  /** More bytes than this in the inbox can only come from compression. */
  readonly #mostBytes: number
  #isPausedByApp = false
  #pausedAt = 0
  /** What was told last, and when. A session tells of all its connections together. */
  #isToldPaused = false
  #toldAt = 0

  /** @param maxBytes of the inbox */
  constructor(owner: ReadingOwner, inbox: InboxLevel, maxBytes: number) {
    this.#owner = owner
    this.#inbox = inbox
    this.#mostBytes = maxBytes + Math.max(maxBytes, ONE_READ) + owner.shared.maxPayload
  }

  /** Whether a message that comes during the end has to be dropped, because nothing else can keep it away. */
  get isFlooded(): boolean {
    const { hasSentClose } = this.#owner
    return (hasSentClose && !this.#inbox.hasRoom) || this.#inbox.bytes > this.#mostBytes
  }

  /** The app calls `socket.pause()` or `socket.resume()`. */
  setPausedByApp(isPaused: boolean): void {
    this.#isPausedByApp = isPaused
    this.update()
  }

  /**
   * A message was added to the inbox. Even when paused, ws still gives us all messages of the last read, and
   * that read may be compressed.
   */
  messageAdded(): void {
    this.update()
    if (this.#inbox.bytes > this.#mostBytes) this.#owner.end('message-too-big')
  }

  /** Pauses ws or lets it read on, by the two flags. */
  update(): void {
    const { shared, socket, isOpen } = this.#owner
    const isPaused = this.#isPausedByApp || (isOpen && this.#inbox.isFull)
    this.#tell(isPaused)
    if (isPaused === socket.isPaused) return
    const now = shared.clock.now()
    if (isPaused) {
      this.#pausedAt = now
      WebSocket.prototype.pause.call(socket)
    } else {
      WebSocket.prototype.resume.call(socket)
      this.#owner.noteUnread(now - this.#pausedAt)
    }
  }

  /** Nobody is told of what happens while there is no connection to read from. */
  #tell(isPaused: boolean): void {
    if (isPaused === this.#isToldPaused) return
    const { shared, socket } = this.#owner
    const { OPEN, CLOSING } = WebSocket
    if (socket.readyState !== OPEN && socket.readyState !== CLOSING) return
    const now = shared.clock.now()
    this.#isToldPaused = isPaused
    if (isPaused) shared.facts.readingPaused(this.#owner, this.#isPausedByApp ? 'app' : 'inbox')
    else shared.facts.readingResumed(this.#owner, now - this.#toldAt)
    this.#toldAt = now
  }
}
