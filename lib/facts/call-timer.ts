import { follow, isThenable, toPromise } from '../platform/thenable.js'
import type { Clock } from '../time/clock.js'

/** Hears how long a call took, in ms. */
export type TimeListener = (route: string, duration: number) => void

/** The number of calls that are timed in one second before some are left out. */
const ALL_WITHIN = 1_000
/** Of the calls beyond these, one in so many is timed. */
const ONE_IN = 16

/**
 * Tells how long calls of `onMessage` take, to those who want to know.
 *
 * To read the clock twice costs a tenth of a microsecond, which is much beside a short message. So in a second
 * with many calls only some are timed, and chance says which. The times are those that all calls have, but
 * their number is not the number of calls.
 */
export class CallTimer {
  readonly #clock: Clock
  readonly #listeners = new Set<TimeListener>()
  #secondEnds = -Infinity
  #timed = 0
  #toSkip = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns a function that ends it */
  listen(listener: TimeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whether the next call is to be timed. To be asked once for each call. */
  isDue(): boolean {
    if (this.#toSkip === 0) return this.#listeners.size > 0
    this.#toSkip--
    return false
  }

  /** Makes a call. @returns what it returns, or a promise of that */
  time(route: string, call: () => unknown): unknown {
    const began = this.#began()
    const over = (): void => this.#tell(route, this.#clock.now() - began)
    try {
      const result = call()
      if (isThenable(result)) {
        // A query may run each time that its `then` is called. So the caller gets the promise that we follow.
        const promise = toPromise(result)
        void follow(promise, over, over)
        return promise
      }
      over()
      return result
    } catch (error) {
      over()
      throw error
    }
  }

  #began(): number {
    const now = this.#clock.now()
    if (now >= this.#secondEnds) {
      this.#secondEnds = now + 1_000
      this.#timed = 0
    }
    if (++this.#timed > ALL_WITHIN) {
      this.#toSkip = Math.floor(this.#clock.random() * (2 * ONE_IN - 1))
    }
    return now
  }

  #tell(route: string, duration: number): void {
    for (const listener of this.#listeners) listener(route, duration)
  }
}
