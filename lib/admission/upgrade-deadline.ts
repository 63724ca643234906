import type { Clock } from '../time/clock.js'
import { afterNextPoll, type Sweep, type Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'

/**
 * The time by which an upgrade has to be decided, or by which its refused peer has to be gone. It is in
 * forgiving time of the sweep.
 */
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

  /** The deadline is `time` ms from now. */
  endIn(time: number): void {
    this.endAt(this.#sweep.forgivingNow + time)
  }

  /** @param until in forgiving time */
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
    // Bytes that came while our loop stood still are read first.
    else afterNextPoll(() => this.#judge())
  }

  #judge(): void {
    // The deadline may have been stopped or moved meanwhile.
    if (this.place !== OFF && this.#sweep.forgivingNow >= this.#until) this.#overdue()
  }
}
