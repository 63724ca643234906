import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TransportFacts } from '../core/close/info.js'
import { bytesTaken } from '../platform/node-internals.js'
import type { Clock } from '../time/clock.js'

/**
 * What is counted while a connection is open. The rest of its {@link TransportFacts} is known only at its
 * end.
 */
export type Totals = Omit<
  TransportFacts,
  'transportError' | 'received' | 'isSentHandedOver' | 'bytesSent' | 'history'
>

/**
 * Counts the time and the bytes of one connection: the numbers of the stream, minus what they were before the
 * 101.
 */
export class Meter {
  readonly #raw: Duplex
  readonly #clock: Clock
  readonly #openedAt: number
  readonly #openedAtWall: number
  readonly #readBefore: number
  readonly #writtenBefore: number
  /** In bytes that the kernel takes. Over TLS these are bytes of records. */
  readonly #takenBefore: number

  /** @param readBefore `raw.bytesRead` when the handshake had been read, and nothing after it */
  constructor(raw: Duplex, clock: Clock, readBefore: number) {
    this.#raw = raw
    this.#clock = clock
    this.#openedAt = clock.now()
    this.#openedAtWall = clock.wall()
    this.#readBefore = readBefore
    this.#writtenBefore = writtenTo(raw)
    // Bytes that are still on their way to the kernel belong to the 101.
    this.#takenBefore = takenFrom(raw, 0)
  }

  /**
   * The number of bytes sent, to be called just before the socket is destroyed. Bytes that node has taken
   * from us and the kernel has not were never sent.
   *
   * Over TLS, bytes count as they were before encryption. But if bytes are left behind, nobody can tell how
   * many of those they are. So the bytes of records count that the kernel took.
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

/**
 * Number of bytes given to a socket, some of which may still wait in node; 0 where the stream does not count.
 */
function writtenTo(raw: Duplex): number {
  return raw instanceof Socket ? raw.bytesWritten : 0
}

/** Number of bytes that the kernel took; 0 where node does not tell. */
function takenFrom(raw: Duplex, held?: number): number {
  return bytesTaken(raw, held) ?? 0
}
