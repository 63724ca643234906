import { follow, isThenable } from '../platform/thenable.js'
import type { Clock, Timer } from '../time/clock.js'
import { afterNextPoll } from '../time/sweep.js'

/**
 * Why a step is no longer awaited: it has taken too long, or the end that waited for it is over without it.
 */
export type Left = 'overran' | 'needless'

/** The result of a step. `late` is the result of a step that was left behind, once it comes. */
export type StepOutcome =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: Left; readonly late: Promise<StepOutcome> }

const DONE: StepOutcome = { status: 'done' }

/** A running step, with a function that leaves it behind, and its timer. */
interface Running {
  readonly leave: (why: Left) => void
  timer: Timer
}

/**
 * Time that several steps share, one after the other. It ends at a time of the clock, or earlier if `end` is
 * called.
 */
export class Budget {
  readonly until: number
  #ended: Left | undefined
  /** The step that began last. If it has finished, leaving it changes nothing. */
  #last: Running | undefined

  constructor(until: number) {
    this.until = until
  }

  /** Why the time was ended early; `undefined` if it was not. */
  get ended(): Left | undefined {
    return this.#ended
  }

  /** Leaves the running step behind, and from now on every other one at once. */
  end(why: Left): void {
    this.#ended ??= why
    this.#last?.leave(why)
  }

  began(step: Running): void {
    this.#last = step
  }
}

/** Runs the steps of the ends of all connections and upgrades. Each is isolated, and has a bounded time. */
export class Steps {
  readonly #clock: Clock
  readonly #running = new Set<Running>()
  #ended: Left | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Runs `step`, and waits for it if it is asynchronous: for `timeout` ms, and longer by as much as our loop
   * stood still at the end of that time, but at most for another `timeout`.
   * @returns the outcome at once if `step` was synchronous, so that it costs no turn
   */
  run(step: () => unknown, timeout: number): StepOutcome | Promise<StepOutcome> {
    return this.#run(step, timeout, timeout, undefined)
  }

  /** Like `run`, but only as long as the budget lasts, because something else has to follow in time. */
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

  /** Leaves every asynchronous step behind, now and from now on: time is up. */
  hurry(): void {
    this.#leaveAll('overran')
  }

  /**
   * All ends are over: no step is awaited any more, for instance that of a release which was added too late.
   */
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
      // Results that came while our loop stood still are taken first.
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
