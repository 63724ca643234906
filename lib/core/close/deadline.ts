/** However steadily the peer reads what was sent before: a close takes so many timeouts at most. */
const TIMEOUTS_AT_MOST = 10

/** How long a peer that has been told to go may stay; by a clock that stands still while our loop does. */
export class CloseDeadline {
  readonly #timeout: number
  readonly #since: number
  #progressAt: number
  #taken: number | undefined
  /** By when it has to be over, whatever the peer reads. */
  #until = Infinity

  /** @param taken bytes that the kernel took from us, `undefined` where node does not tell */
  constructor(timeout: number, now: number, taken: number | undefined) {
    this.#timeout = timeout
    this.#since = now
    this.#progressAt = now
    this.#taken = taken
  }

  /** Somebody waits for its place: one timeout from now on is the most, also for a peer that reads steadily. */
  hurry(now: number): void {
    this.#until = Math.min(this.#until, now + this.#timeout)
  }

  /** @returns how long it may still stay, in ms, if nothing moves: not at all from 0 on */
  look(now: number, taken: number | undefined): number {
    if (taken !== this.#taken) {
      this.#taken = taken
      this.#progressAt = now
    }
    const deadline = Math.min(
      this.#progressAt + this.#timeout,
      this.#since + TIMEOUTS_AT_MOST * this.#timeout,
      this.#until,
    )
    return deadline - now
  }
}
