import type { Clock } from '../time/clock.js'
import { afterNextPoll, type Sweep, type Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'

/** By when an upgrade has to be decided, or its refused peer has to be gone: by the forgiving time of the sweep. */
export class UpgradeDeadline implements Swept {
  dueAt = 0
  place: number = OFF
  readonly #clock: Clock
  readonly #sweep: Sweep
  readonly #overdue: () => void
  #until = Infinity

  /** @param overdue called when the time has passed, and the loop has polled once more */
  constructor(clock: Clock, sweep: Sweep, overdue: () => void) {
    this.#clock = clock
    this.#sweep = sweep
    this.#overdue = overdue
    sweep.add(this)
  }

  /** From now on for `time` ms. */
  endIn(time: number): void {
    this.endAt(this.#sweep.forgivingNow + time)
  }

  /** @param until by the forgiving time */
  endAt(until: number): void {
    const { forgivingNow } = this.#sweep
    this.#until = until
    this.#sweep.move(this, this.#clock.now() + until - forgivingNow)
  }

  stop(): void {
    this.#sweep.delete(this)
  }

  onSweep(now: number, forgivingNow: number): void {
    if (forgivingNow < this.#until) this.#sweep.move(this, now + this.#until - forgivingNow)
    // What came while our loop stood still is heard first.
    else afterNextPoll(() => this.#judge())
  }

  #judge(): void {
    // It may have been stopped meanwhile, or have a new end.
    if (this.place !== OFF && this.#sweep.forgivingNow >= this.#until) this.#overdue()
  }
}
