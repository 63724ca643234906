import { epochNow } from '../platform/real-time.js'
import type { Clock, Timer } from '../time/clock.js'
import type { ManualClock } from './api.js'
import { delivered, watchSockets } from './delivered.js'
import { inTime, LONG, Patience } from './wait.js'

interface Entry extends Timer {
  readonly callback: () => void
  readonly every: number | undefined
  at: number
}

/** How far {@link HandClock.until} goes, in ms. */
const FARTHEST = 3_600_000
/** How much real time a promise has to settle by itself before time is moved, in ms: a database may be asked. */
const PATIENCE = 20

/** A clock that stands still until a test moves it. */
export class HandClock implements Clock, ManualClock {
  random: () => number = Math.random
  #now = 1_000
  readonly #startedAt: number
  readonly #entries = new Set<Entry>()

  /** @param startedAt in epoch ms */
  constructor(startedAt: number = epochNow()) {
    this.#startedAt = startedAt - this.#now
    watchSockets()
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return this.#startedAt + this.#now
  }

  setTimeout(callback: () => void, delay: number): Timer {
    return this.#add(callback, delay, undefined)
  }

  setInterval(callback: () => void, delay: number): Timer {
    return this.#add(callback, delay, delay)
  }

  clearTimeout(timer: Timer): void {
    this.#entries.delete(timer as Entry)
  }

  clearInterval(timer: Timer): void {
    this.#entries.delete(timer as Entry)
  }

  get pending(): number {
    return this.#entries.size
  }

  /** How far apart the calls of each interval are that runs, in ms. */
  get periods(): number[] {
    return [...this.#entries].flatMap(({ every }) => every ?? [])
  }

  async advance(ms: number): Promise<void> {
    const isLate = (this.#next()?.at ?? Infinity) <= this.#now
    if (!isLate) await delivered()
    const until = this.#now + ms
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) {
      this.#fire(next)
      await delivered()
    }
    this.#now = until
    await delivered()
  }

  stall(ms: number): void {
    this.#now += ms
    for (const entry of this.#entries) {
      // node runs a late interval once, not once for each time that it missed.
      if (entry.every !== undefined) entry.at = Math.max(entry.at, this.#now)
    }
  }

  async until<T>(promise: PromiseLike<T>): Promise<T> {
    const state = { isSettled: false }
    const settle = (): void => {
      state.isSettled = true
    }
    promise.then(settle, settle)
    await inTime(promise, PATIENCE)
    const until = this.#now + FARTHEST
    let patience = new Patience()
    for (;;) {
      // Before the first one too: whoever was held up himself has not polled for what has come.
      await delivered()
      if (state.isSettled) return promise
      const next = this.#next()
      if (next !== undefined && next.at <= until) {
        this.#fire(next)
        patience = new Patience()
      } else if (next !== undefined || patience.isOver()) {
        throw new Error(
          `Expected the promise to settle within an hour of the manual clock, got ${this.pending} timers that are later, and nothing else for ${LONG} ms`,
        )
      }
    }
  }

  #add(callback: () => void, delay: number, every: number | undefined): Timer {
    const entry: Entry = {
      callback,
      every,
      at: this.#now + delay,
      ref: () => entry,
      unref: () => entry,
    }
    this.#entries.add(entry)
    return entry
  }

  #next(): Entry | undefined {
    let first: Entry | undefined
    for (const entry of this.#entries) if (first === undefined || entry.at < first.at) first = entry
    return first
  }

  #fire(entry: Entry): void {
    this.#now = Math.max(this.#now, entry.at)
    if (entry.every === undefined) this.#entries.delete(entry)
    else entry.at = this.#now + entry.every
    entry.callback()
  }
}
