/** A close takes so many timeouts at most, even if the peer makes steady progress. */
const TIMEOUTS_AT_MOST = 10

/**
 * Decides how long the peer of a closing connection may take. Times are of the forgiving clock, which stands
 * still while our loop does.
 */
export class CloseDeadline {
  readonly #timeout: number
  readonly #since: number
  #progressAt: number
  #taken: number | undefined
  /** When the transport has to be gone, whatever progress the peer makes. */
  #until = Infinity

  /** @param taken number of bytes that the kernel has taken from us, `undefined` where node does not tell */
  constructor(timeout: number, now: number, taken: number | undefined) {
    this.#timeout = timeout
    this.#since = now
    this.#progressAt = now
    this.#taken = taken
  }

  /**
   * Another upgrade waits for the place: one timeout from now on is the most, also for a peer that makes
   * steady progress.
   */
  hurry(now: number): void {
    this.#until = Math.min(this.#until, now + this.#timeout)
  }

  /** @returns how long the peer may still take, in ms, if nothing moves; 0 or less: it is too late */
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
