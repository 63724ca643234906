import { MessageRate, type RatePolicy } from '../core/messages/message-rate.js'
import type { Clock } from '../time/clock.js'
import type { Sweep } from '../time/sweep.js'

/** Decides whether a message is within the rate. Made only for a route with `messageRate`. */
export class RateGate {
  readonly #rate: MessageRate
  readonly #clock: Clock
  readonly #sweep: Sweep
  /** `sweep.forgiven` at the last message. */
  #forgiven: number

  constructor(
    policy: RatePolicy,
    { clock, sweep }: { readonly clock: Clock; readonly sweep: Sweep },
  ) {
    this.#rate = new MessageRate(policy)
    this.#clock = clock
    this.#sweep = sweep
    this.#forgiven = sweep.forgiven
  }

  /** We did not read for so many ms: the messages of that time come all at once. */
  excuse(duration: number): void {
    this.#rate.excuse(duration)
  }

  /** @returns whether a message that comes now is within the rate */
  admits(): boolean {
    const { forgiven } = this.#sweep
    // While our loop stood still, nothing was read.
    this.#rate.excuse(forgiven - this.#forgiven)
    this.#forgiven = forgiven
    return this.#rate.admits(this.#clock.now())
  }
}
