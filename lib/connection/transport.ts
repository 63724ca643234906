import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Facts } from '../facts/facts.js'
import type { Writer } from '../outbox/writer.js'
import { abandonReceiver, isParsing } from '../platform/ws-receiver.js'

/** What `Transport` needs of its connection. */
export interface TransportOwner {
  readonly shared: { readonly facts: Facts }
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly usedWriter: Writer | undefined
}

/** Ends the transport of a connection: by a close frame, or without. What is held back leaves first. */
export class Transport {
  /** Bytes that were sent, as it showed just before the stream was destroyed. */
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
    // The peer's close frame must get in, also where the app has paused reading.
    if (socket.isPaused) socket.resume()
  }

  terminate(): void {
    const { socket, usedWriter } = this.#owner
    usedWriter?.flush()
    WebSocket.prototype.terminate.call(socket)
    // Nobody waits for ws's parser after that; and ws does nothing where it says CLOSED.
    this.destroy()
  }

  /** Destroys the stream; nobody waits for what came over it and is not parsed yet. */
  destroy(): void {
    this.#isCutOff = true
    this.#owner.raw.destroy()
    if (this.#hasStreamClosed) this.streamClosed()
  }

  /**
   * As a rule ws ends now. Where it still inflates what came before, it is not waited for, but for a peer that said
   * with a FIN that it was done: what that one sent before is read, until the deadline.
   */
  streamClosed(): void {
    const { raw, socket, shared } = this.#owner
    this.#hasStreamClosed = true
    if (!isParsing(socket)) return
    const saysItsLast = raw.readableEnded && !raw.errored && !this.#isCutOff
    if (saysItsLast) return
    shared.facts.messagesDropped(1)
    abandonReceiver(socket)
  }
}
