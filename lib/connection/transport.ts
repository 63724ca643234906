import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Writer } from '../outbox/writer.js'
import { abandonReceiver, isParsing } from '../platform/ws-receiver.js'

/** What `Transport` needs of its connection. */
export interface TransportOwner {
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly usedWriter: Writer | undefined
  /** A message that had come is given up before it was parsed. */
  noteUnparsed(): void
}

/**
 * Ends the transport of a connection, with a close frame or without. Messages that are held back leave first.
 */
export class Transport {
  /** The number of bytes sent, taken just before the stream was destroyed. */
  bytesSent = 0
  readonly #owner: TransportOwner
  /** Whether we have destroyed the stream. */
  #isCutOff = false
  #hasStreamClosed = false

  constructor(owner: TransportOwner) {
    this.#owner = owner
  }

  sendClose(code: number | undefined, reason: string): void {
    const { socket, usedWriter } = this.#owner
    usedWriter?.flush()
    WebSocket.prototype.close.call(socket, code, reason)
    // The peer's close frame has to be read, even if the app has paused reading.
    if (socket.isPaused) socket.resume()
  }

  terminate(): void {
    const { socket, usedWriter } = this.#owner
    usedWriter?.flush()
    WebSocket.prototype.terminate.call(socket)
    // After that we do not wait for ws's parser. And ws does nothing if it says CLOSED.
    this.destroy()
  }

  /** Destroys the stream. Bytes that came over it and are not parsed yet are given up. */
  destroy(): void {
    this.#isCutOff = true
    this.#owner.raw.destroy()
    if (this.#hasStreamClosed) this.streamClosed()
  }

  /**
   * The stream has closed. Usually ws emits `'close'` now. If ws is still inflating earlier messages, we do
   * not wait for that, with one exception: a peer that sent a FIN was done. What it sent before is read,
   * until the deadline.
   */
  streamClosed(): void {
    const { raw, socket } = this.#owner
    this.#hasStreamClosed = true
    if (!isParsing(socket)) return
    // Also if the stream has an error since: an answer of ours may have come too late for it.
    const saysItsLast = raw.readableEnded && !this.#isCutOff
    if (saysItsLast) return
    this.#owner.noteUnparsed()
    abandonReceiver(socket)
  }
}
