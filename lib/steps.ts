import type { Clock, Timer } from './clock.js'
import { afterNextPoll } from './sweep.js'
import { follow, isThenable } from './thenable.js'

/** How a step of an end came out; `late` is how one that overran comes out in the end. */
export type StepOutcome =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'overran'; readonly late: Promise<StepOutcome> }

const DONE: StepOutcome = { status: 'done' }

/** A running step: how to give up on it, and the timer that will. */
interface Running {
  readonly giveUp: () => void
  timer: Timer
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
   * Runs `step`, and waits for it if it is asynchronous: for `limit` ms, and longer by what our loop stood still at the
   * end of that, but not by more than as much again.
   * @returns the outcome at once if `step` was synchronous, so that it costs no turn
   */
  run(step: () => unknown, limit: number): StepOutcome | Promise<StepOutcome> {
    return this.#run(step, limit, limit)
  }

  /** As `run`, but waits until a time by the clock: something else has to follow. */
  runUntil(step: () => unknown, until: number): StepOutcome | Promise<StepOutcome> {
    return this.#run(step, Math.max(0, until - this.#clock.now()), 0)
  }

  #run(
    step: () => unknown,
    limit: number,
    mostForgiven: number,
  ): StepOutcome | Promise<StepOutcome> {
    try {
      const result = step()
      return isThenable(result) ? this.#settle(result, limit, mostForgiven) : DONE
    } catch (error) {
      return { status: 'failed', error }
    }
  }

  /** Leaves behind every asynchronous step, now and from now on. */
  hurry(): void {
    this.#hurried = true
    for (const { giveUp } of this.#running) giveUp()
  }

  #settle(result: unknown, limit: number, mostForgiven: number): Promise<StepOutcome> {
    const settled = follow<StepOutcome>(
      result,
      () => DONE,
      (error) => ({ status: 'failed', error }),
    )
    if (this.#hurried) return Promise.resolve({ status: 'overran', late: settled })
    return new Promise((resolve) => {
      const giveUp = (): void => finish({ status: 'overran', late: settled })
      // What came while our loop stood still is heard first.
      const lookAgain = (): void => afterNextPoll(giveUp)
      const dueAt = this.#clock.now() + limit
      const overdue = (): void => {
        const late = Math.min(this.#clock.now() - dueAt, mostForgiven)
        if (late > 0) running.timer = this.#after(late, lookAgain)
        else lookAgain()
      }
      const running: Running = { giveUp, timer: this.#after(limit, overdue) }
      const finish = (outcome: StepOutcome): void => {
        this.#clock.clearTimeout(running.timer)
        this.#running.delete(running)
        resolve(outcome)
      }
      this.#running.add(running)
      void settled.then(finish)
    })
  }

  #after(delay: number, callback: () => void): Timer {
    const timer = this.#clock.setTimeout(callback, delay)
    timer.unref()
    return timer
  }
}
