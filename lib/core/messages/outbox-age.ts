import { LONGEST_LOOK, SLOWEST_READER } from '../budgets.js'

/** A resolved `outbox` option. */
export interface OutboxPolicy {
  readonly highWaterMark: number
  readonly maxBytes: number
  readonly maxAge: number | false
  readonly overflow: 'close' | 'drop'
}

/**
 * How slow the slowest reader may seem to be. The kernel's steps differ: the next one may be half as large
 * again as the last.
 */
const SLOWEST_SEEN = SLOWEST_READER / 1.5

/** Bytes that the kernel holds excuse a reader for so many `maxAge`s at most, its own one included. */
const AGES_AT_MOST = 15

/**
 * Tells a reader that is stuck from one that is slow.
 *
 * The kernel shows progress only when a third of its send buffer is free again. Until then a slow reader
 * looks as if it had stopped. So the age counts from when the slowest reader would have read all that the
 * kernel took.
 */
export class OutboxAge {
  readonly #maxAge: number
  #taken = 0
  #seenAt = 0
  #wasWaiting = false
  /** When the slowest reader will have read what the kernel took. */
  #readAt = 0

  /** @param taken number of bytes that the kernel has taken from us so far */
  constructor(maxAge: number, now: number, taken: number) {
    this.#maxAge = maxAge
    this.#taken = taken
    this.#seenAt = now
    this.#readAt = now
  }

  /**
   * @param taken `undefined` if it is not known
   * @returns `undefined` if there is nothing to tell
   */
  static from(
    maxAge: number | false,
    now: number,
    taken: number | undefined,
  ): OutboxAge | undefined {
    if (maxAge === false || taken === undefined) return undefined
    return new OutboxAge(maxAge, now, taken)
  }

  /**
   * @param now of the forgiving clock, so that our own stall does not count
   * @param isWaiting whether bytes wait for the kernel
   * @returns whether they have not moved for too long
   */
  look(now: number, taken: number, isWaiting: boolean): boolean {
    if (taken !== this.#taken || !isWaiting || !this.#wasWaiting) {
      // If nothing waited there were no looks, and the kernel may have taken all of it just now.
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
