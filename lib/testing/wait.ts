import { clearTimeout, monotonic, setTimeout } from '../platform/real-time.js'
import { afterNextPoll } from '../time/sweep.js'

/** What {@link inTime} resolves with if time is up. */
export const LATE: unique symbol = Symbol('late')

/** How long a wait may take that has no timeout of its own, in ms. */
export const LONG = 5_000
/** What a turn of the loop counts for at most, in ms: while the loop stands still nothing can arrive. */
const TURN = 100

/** Of somebody who looks again and again whether something has come. */
export class Patience {
  readonly #limit: number
  #spent = 0
  #lookedAt = monotonic()

  /** @param limit how long he looks, in ms */
  constructor(limit: number = LONG) {
    this.#limit = limit
  }

  /** Whether he has looked for long enough. It is asked at each look. */
  isOver(): boolean {
    const now = monotonic()
    this.#spent += Math.min(now - this.#lookedAt, TURN)
    this.#lookedAt = now
    return this.#spent >= this.#limit
  }
}

/**
 * Whoever awaits this makes the error itself: only then its stack leads to the test. If this process stood still, what has
 * come meanwhile is read first.
 * @param timeout in ms of real time; `Infinity` is allowed
 * @throws (rejects) with what the promise rejects with
 */
export async function inTime<T>(
  promise: PromiseLike<T>,
  timeout: number,
): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    const isDue = (): void => afterNextPoll(() => resolve(LATE))
    if (timeout < Infinity) timer = setTimeout(isDue, timeout)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
