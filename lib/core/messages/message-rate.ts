/** A resolved `messageRate` option. */
export interface RatePolicy {
  readonly max: number
  /** ms. */
  readonly window: number
}

/**
 * Decides whether messages come too fast. It counts them in windows: a window begins with the first message
 * after the last window has ended. A peer that keeps to the rate is always within it, also when we read its
 * messages late.
 */
export class MessageRate {
  readonly #policy: RatePolicy
  #endsAt = -Infinity
  #count = 0
  #allowed = 0
  /** How long we have not read since the last window began, in ms. */
  #unread = 0
  /** How many windows' worth of messages may have been sent and are not read yet. */
  #behind = 0

  constructor(policy: RatePolicy) {
    this.#policy = policy
  }

  /** We did not read for so many ms: the messages of that time come all at once. */
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
    // If we read during the whole window, no message is left to come late.
    this.#behind =
      this.#unread > 0 ? Math.max(0, this.#behind - caughtUp) + this.#unread / window : 0
    this.#unread = 0
    this.#allowed = max * (1 + Math.ceil(this.#behind))
    this.#endsAt = now + window
    this.#count = 0
  }
}
