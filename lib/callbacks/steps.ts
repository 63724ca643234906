import { follow, isThenable } from '../platform/thenable.js'
import type { Clock, Timer } from '../time/clock.js'
import { afterNextPoll } from '../time/sweep.js'

/** Why nobody waits for a step any more: its time is up, or what waited for it has come to its end without it. */
export type Left = 'overran' | 'needless'

/** How a step of an end came out; `late` is how one that was left comes out in the end. */
export type StepOutcome =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: Left; readonly late: Promise<StepOutcome> }

const DONE: StepOutcome = { status: 'done' }

/** A running step: how to leave it, and the timer that will. */
interface Running {
  readonly leave: (why: Left) => void
  timer: Timer
}

/** Time that steps share, one after the other: until a moment by the clock, or until it is ended before that. */
export class Budget {
  readonly until: number
  #ended: Left | undefined
  /** The last one that began; to leave one that is over changes nothing. */
  #last: Running | undefined

  constructor(until: number) {
    this.until = until
  }

  /** Why there is no time left, whatever the clock says. */
  get ended(): Left | undefined {
    return this.#ended
  }

  /** Leaves the step that runs, and from now on every other at once. */
  end(why: Left): void {
    this.#ended ??= why
    this.#last?.leave(why)
  }

  began(step: Running): void {
    this.#last = step
  }
}

/** Runs the steps of all ends: each isolated, each bounded. */
export class Steps {
  readonly #clock: Clock
  readonly #running = new Set<Running>()
  #ended: Left | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `step`, and waits for it if it is asynchronous: for `timeout` ms, and longer by what our loop stood still at the
   * end of that, but not by more than as much again.
   * @returns the outcome at once if `step` was synchronous, so that it costs no turn
   */
  run(step: () => unknown, timeout: number): StepOutcome | Promise<StepOutcome> {
    return this.#run(step, timeout, timeout, undefined)
  }

  /** As `run`, but no longer than there is time: something else has to follow. */
  runWithin(step: () => unknown, budget: Budget): StepOutcome | Promise<StepOutcome> {
    return this.#run(step, Math.max(0, budget.until - this.#clock.now()), 0, budget)
  }

  #run(
    step: () => unknown,
    timeout: number,
    mostForgiven: number,
    budget: Budget | undefined,
  ): StepOutcome | Promise<StepOutcome> {
    try {
      const result = step()
      return isThenable(result) ? this.#settle(result, timeout, mostForgiven, budget) : DONE
    } catch (error) {
      return { status: 'failed', error }
    }
  }

  /** Leaves behind every asynchronous step, now and from now on. */
  hurry(): void {
    this.#leaveAll('overran')
  }

  /** All ends are over: nobody waits for a step any more, as that of a release which was added too late. */
  rest(): void {
    this.#leaveAll('needless')
  }

  #leaveAll(why: Left): void {
    this.#ended = why
    for (const { leave } of this.#running) leave(why)
  }

  #settle(
    result: unknown,
    timeout: number,
    mostForgiven: number,
    budget: Budget | undefined,
  ): Promise<StepOutcome> {
    const settled = follow<StepOutcome>(
      result,
      () => DONE,
      (error) => ({ status: 'failed', error }),
    )
    const ended = this.#ended ?? budget?.ended
    if (ended !== undefined) return Promise.resolve({ status: ended, late: settled })
    return new Promise((resolve) => {
      const leave = (why: Left): void => finish({ status: why, late: settled })
      // What came while our loop stood still is heard first.
      const lookAgain = (): void => afterNextPoll(() => leave('overran'))
      const dueAt = this.#clock.now() + timeout
      const overdue = (): void => {
        const late = Math.min(this.#clock.now() - dueAt, mostForgiven)
        if (late > 0) running.timer = this.#after(late, lookAgain)
        else lookAgain()
      }
      const running: Running = { leave, timer: this.#after(timeout, overdue) }
      const finish = (outcome: StepOutcome): void => {
        this.#clock.clearTimeout(running.timer)
        this.#running.delete(running)
        resolve(outcome)
      }
      this.#running.add(running)
      budget?.began(running)
      void settled.then(finish)
    })
  }

  #after(delay: number, callback: () => void): Timer {
    const timer = this.#clock.setTimeout(callback, delay)
    timer.unref()
    return timer
  }
}
