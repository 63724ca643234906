import { WebSocket } from 'ws'
import type { CauseWithCode } from '../core/close/policy.js'
import type { Clock } from '../time/clock.js'

/** What `Reading` needs of its connection. */
export interface ReadingOwner {
  readonly shared: { readonly clock: Clock; readonly maxPayload: number }
  readonly socket: WebSocket
  readonly isOpen: boolean
  /** Whether we have sent a close frame: reading goes on then, whatever is full. */
  readonly hasSentClose: boolean
  /** We did not read for so many ms. */
  noteUnread(duration: number): void
  end(cause: CauseWithCode, reason?: string): void
}

/** How full the inbox is. */
export interface InboxLevel {
  readonly bytes: number
  readonly isFull: boolean
  readonly hasRoom: boolean
}

/** What one read of a socket can hold on the wire, in bytes. */
const ONE_READ = 65_536

/**
 * Whether the socket of a connection is read. The app can pause it, and so can a full inbox: these are two flags
 * over the one pause of ws. What a pause cannot keep away is counted here, and is too much at some point.
 */
export class Reading {
  readonly #owner: ReadingOwner
  readonly #inbox: InboxLevel
  /** More bytes than this in the inbox can only come of compression. */
  readonly #mostBytes: number
  #isPausedByApp = false
  #pausedAt = 0

  /** @param maxBytes of the inbox */
  constructor(owner: ReadingOwner, inbox: InboxLevel, maxBytes: number) {
    this.#owner = owner
    this.#inbox = inbox
    this.#mostBytes = maxBytes + Math.max(maxBytes, ONE_READ) + owner.shared.maxPayload
  }

  /** Whether a message that comes during the end has to be dropped: neither a pause nor an end of ours can keep it away. */
  get isFlooded(): boolean {
    const { hasSentClose } = this.#owner
    return (hasSentClose && !this.#inbox.hasRoom) || this.#inbox.bytes > this.#mostBytes
  }

  /** The app calls `socket.pause()` or `socket.resume()`. */
  setPausedByApp(isPaused: boolean): void {
    this.#isPausedByApp = isPaused
    this.update()
  }

  /** A message was added to the inbox. After a pause ws still hands over all that one read holds, and that may be compressed. */
  messageAdded(): void {
    this.update()
    if (this.#inbox.bytes > this.#mostBytes) this.#owner.end('message-too-big')
  }

  /** Pauses ws, or lets it read on, as the app and the inbox want it now. */
  update(): void {
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
