import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { bytesHeld, queuedFrames } from './internals.js'

/** Whose peer sends pings. */
export interface Answerer {
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly isOpen: boolean
  /** Hands what is held back for the end of the turn to the raw stream. */
  letGo(): void
  /** A pong is being sent. */
  noteControl(): void
}

/** Answers a peer's pings; behind a backlog the latest only, one at a time (RFC 6455 §5.5.3). */
export class Pongs {
  readonly #answerer: Answerer
  #isHeld = false
  #owed: Buffer | undefined

  constructor(answerer: Answerer) {
    this.#answerer = answerer
  }

  answer(data: Buffer): void {
    const { socket, isOpen } = this.#answerer
    if (!isOpen) return
    if (this.#isHeld) {
      this.#owed = data
      return
    }
    this.#answerer.noteControl()
    if (this.#hasBacklog()) {
      this.#isHeld = true
      WebSocket.prototype.pong.call(socket, data, false, () => this.#left())
    } else {
      WebSocket.prototype.pong.call(socket, data)
    }
  }

  #hasBacklog(): boolean {
    const { socket, raw } = this.#answerer
    // What we hold back ourselves is none.
    this.#answerer.letGo()
    if (queuedFrames(socket) > 0) return true
    return raw instanceof Socket ? bytesHeld(raw) > 0 : raw.writableNeedDrain
  }

  #left(): void {
    const data = this.#owed
    this.#owed = undefined
    this.#isHeld = false
    if (data !== undefined) this.answer(data)
  }
}
