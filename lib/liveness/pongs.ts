import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { bytesHeld } from '../platform/node-internals.js'
import { queuedFrames } from '../platform/ws-sender.js'

/** What `Pongs` needs of its connection. */
export interface PongsOwner {
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly isOpen: boolean
  /** Hands messages that are held back for the end of the turn to the raw stream. */
  flush(): void
  /** Called when a pong is sent. */
  noteControl(): void
}

/**
 * Answers a peer's pings. While bytes wait for the peer, only the latest ping is answered, and one pong waits
 * at a time (RFC 6455 §5.5.3).
 */
export class Pongs {
  readonly #owner: PongsOwner
  #isHeld = false
  #owed: Buffer | undefined

  constructor(owner: PongsOwner) {
    this.#owner = owner
  }

  answer(data: Buffer): void {
    const { socket, isOpen } = this.#owner
    if (!isOpen) return
    if (this.#isHeld) {
      this.#owed = data
      return
    }
    this.#owner.noteControl()
    if (this.#hasBacklog()) {
      this.#isHeld = true
      WebSocket.prototype.pong.call(socket, data, false, () => this.#left())
    } else {
      WebSocket.prototype.pong.call(socket, data)
    }
  }

  #hasBacklog(): boolean {
    const { socket, raw } = this.#owner
    // Messages that we hold back ourselves are no backlog.
    this.#owner.flush()
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
