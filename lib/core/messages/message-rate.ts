/** A resolved `messageRate` option. */
export interface RatePolicy {
  readonly max: number
  /** ms. */
  readonly window: number
}

/**
 * Counts messages in windows; the first message after one has ended begins the next. Whoever keeps
 * to the rate is never over it, also where we were late to read what it sent.
 */
export class MessageRate {
  readonly #policy: RatePolicy
  #endsAt = -Infinity
  #count = 0
  #allowed = 0
  /** For how long we did not read, in ms, since the last window began. */
  #unread = 0
  /** How many windows' worth of messages may have been sent and not yet read. */
  #behind = 0

  constructor(policy: RatePolicy) {
    this.#policy = policy
  }

  /** We did not read for so many ms: what came in that time comes at once. */
  excuse(duration: number): void {
    this.#unread += duration
  }

  /** @returns whether a message that arrives now is within the rate */
  admits(now: number): boolean {
    if (now >= this.#endsAt) this.#beginWindow(now)
    return ++this.#count <= this.#allowed
  }

  #beginWindow(now: number): void {
    const { max, window } = this.#policy
    const caughtUp = Math.max(0, this.#count - max) / max
    // Where all of a window was read, nothing is left to be read late.
    this.#behind =
      this.#unread > 0 ? Math.max(0, this.#behind - caughtUp) + this.#unread / window : 0
    this.#unread = 0
    this.#allowed = max * (1 + Math.ceil(this.#behind))
    this.#endsAt = now + window
    this.#count = 0
  }
}
