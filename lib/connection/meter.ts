import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TransportFacts } from '../core/close/info.js'
import { bytesTaken } from '../platform/node-internals.js'
import type { Clock } from '../time/clock.js'

/** What is counted of a connection; the rest of its {@link TransportFacts} shows at its end. */
export type Totals = Omit<
  TransportFacts,
  'transportError' | 'received' | 'isSentHandedOver' | 'bytesSent'
>

/** Counts the time and the bytes of one connection: what the stream counts, less what there was before the 101. */
export class Meter {
  readonly #raw: Duplex
  readonly #clock: Clock
  readonly #openedAt: number
  readonly #openedAtWall: number
  readonly #readBefore: number
  readonly #writtenBefore: number
  /** Of what the kernel takes: over TLS these are bytes of records. */
  readonly #takenBefore: number

  /** @param readBefore `raw.bytesRead` when the handshake was read, and nothing after it */
  constructor(raw: Duplex, clock: Clock, readBefore: number) {
    this.#raw = raw
    this.#clock = clock
    this.#openedAt = clock.now()
    this.#openedAtWall = clock.wall()
    this.#readBefore = readBefore
    this.#writtenBefore = writtenTo(raw)
    // What is still on its way to the kernel is of the 101.
    this.#takenBefore = takenFrom(raw, 0)
  }

  /**
   * Bytes that were sent, as it shows just before the socket is destroyed: what node has taken from us and the kernel
   * has not was never sent. Over TLS all that was sent counts as it was before it was encrypted. Where something was
   * left behind, nobody can tell how much of that: so what the kernel took of records counts.
   */
  bytesSent(): number {
    const raw = this.#raw
    return Math.min(writtenTo(raw) - this.#writtenBefore, takenFrom(raw) - this.#takenBefore)
  }

  totals(): Pick<TransportFacts, 'openedAt' | 'duration' | 'bytesReceived'> {
    const raw = this.#raw
    return {
      openedAt: this.#openedAtWall,
      duration: this.#clock.now() - this.#openedAt,
      bytesReceived: raw instanceof Socket ? raw.bytesRead - this.#readBefore : 0,
    }
  }
}

/** What was given to a socket, and may still wait with node; 0 where the stream does not count. */
function writtenTo(raw: Duplex): number {
  return raw instanceof Socket ? raw.bytesWritten : 0
}

/** What the kernel took; 0 where node does not tell. */
function takenFrom(raw: Duplex, held?: number): number {
  return bytesTaken(raw, held) ?? 0
}
