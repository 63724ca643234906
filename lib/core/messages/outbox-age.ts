import { LONGEST_LOOK, SLOWEST_READER } from '../budgets.js'

/** A resolved `outbox` option. */
export interface OutboxPolicy {
  readonly highWaterMark: number
  readonly maxBytes: number
  readonly maxAge: number | false
  readonly overflow: 'close' | 'drop'
}

/** The kernel's steps are not all alike: the next one may be half as large again as the last. So a reader may seem slower. */
const SLOWEST_SEEN = SLOWEST_READER / 1.5

/** What the kernel holds of ours excuses a reader for so many `maxAge`s at most, its own included. */
const AGES_AT_MOST = 15

/**
 * Tells a reader that is stuck from one that is slow. The kernel shows progress only when a third of
 * its send buffer is free again; in between, a slow reader looks like one that has stopped. So the
 * clock starts when the slowest reader would have read what the kernel took.
 */
export class OutboxAge {
  readonly #maxAge: number
  #taken = 0
  #seenAt = 0
  #wasWaiting = false
  /** When the slowest reader will have read what the kernel took. */
  #readAt = 0

  /** @param taken bytes that the kernel took from us so far */
  constructor(maxAge: number, now: number, taken: number) {
    this.#maxAge = maxAge
    this.#taken = taken
    this.#seenAt = now
    this.#readAt = now
  }

  /**
   * @param now of the forgiving clock: our own stall is not the reader's
   * @returns whether what waits has not moved for too long
   */
  look(now: number, taken: number, isWaiting: boolean): boolean {
    if (taken !== this.#taken || !isWaiting || !this.#wasWaiting) {
      // Where nothing waited nobody has looked, and it may all have been taken just now.
      const takenAt = Math.max(this.#readAt, this.#seenAt, now - LONGEST_LOOK)
      const readAt = takenAt + (taken - this.#taken) / SLOWEST_SEEN
      this.#readAt = Math.min(Math.max(readAt, now), now + (AGES_AT_MOST - 1) * this.#maxAge)
      this.#taken = taken
    }
    this.#seenAt = now
    this.#wasWaiting = isWaiting
    return isWaiting && now >= this.#readAt + this.#maxAge
  }
}
