import type { Clock, Timer } from './clock.js'

/** How a step of an end came out; `late` is how one that overran comes out in the end. */
export type StepOutcome =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'overran'; readonly late: Promise<StepOutcome> }

const DONE: StepOutcome = { status: 'done' }

/** A running step: how to give up on it, and the timer that will. */
interface Running {
  readonly giveUp: () => void
  readonly timer: Timer
}

/** Runs the steps of all ends: each isolated, each bounded. */
export class Steps {
  readonly #clock: Clock
  readonly #running = new Set<Running>()
  #hurried = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `step`, and waits for it if it is asynchronous.
   * @returns the outcome at once if `step` was synchronous, so that it costs no turn
   */
  run(step: () => unknown, limit: number): StepOutcome | Promise<StepOutcome> {
    try {
      const result = step()
      return isThenable(result) ? this.#settle(result, limit) : DONE
    } catch (error) {
      return { status: 'failed', error }
    }
  }

  /** Leaves behind every asynchronous step, now and from now on. */
  hurry(): void {
    this.#hurried = true
    for (const { giveUp } of this.#running) giveUp()
  }

  #settle(result: PromiseLike<unknown>, limit: number): Promise<StepOutcome> {
    // A thenable may throw in `then`, and Promise.resolve turns that into a rejection.
    const settled = Promise.resolve(result).then(
      (): StepOutcome => DONE,
      (error: unknown): StepOutcome => ({ status: 'failed', error }),
    )
    if (this.#hurried) return Promise.resolve({ status: 'overran', late: settled })
    return new Promise((resolve) => {
      const running: Running = {
        giveUp: () => finish({ status: 'overran', late: settled }),
        timer: this.#clock.setTimeout(() => running.giveUp(), limit),
      }
      const finish = (outcome: StepOutcome): void => {
        this.#clock.clearTimeout(running.timer)
        this.#running.delete(running)
        resolve(outcome)
      }
      running.timer.unref()
      this.#running.add(running)
      void settled.then(finish)
    })
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
