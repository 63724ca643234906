import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Timer } from '../../../lib/time/clock.js'
import { delivered } from './delivered.js'

interface Entry extends Timer {
  readonly callback: () => void
  readonly every: number | undefined
  at: number
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  /** A test may set one that it knows. */
  random: () => number = Math.random
  #now = 1_000
  readonly #entries = new Set<Entry>()

  now(): number {
    return this.#now
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now
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

  /** How many timers are waiting. */
  get pending(): number {
    return this.#entries.size
  }

  /** How far apart the calls of each interval are that runs, in ms. */
  get periods(): number[] {
    return [...this.#entries].flatMap(({ every }) => every ?? [])
  }

  /** Moves time on, timer by timer; before that, and after each, all arrives that was sent on loopback. */
  async advance(delay: number): Promise<void> {
    const isLate = (this.#next()?.at ?? Infinity) <= this.#now
    if (!isLate) await delivered()
    const until = this.#now + delay
    for (let next = this.#next(); next !== undefined && next.at <= until; next = this.#next()) {
      this.#now = Math.max(this.#now, next.at)
      this.#fire(next)
      await delivered()
    }
    this.#now = until
    await delivered()
  }

  /** The loop stood still for so long: time has passed, and no timer has run. */
  stall(delay: number): void {
    this.#now += delay
    for (const entry of this.#entries) {
      // node runs a late interval once, not once for each time that it missed.
      if (entry.every !== undefined) entry.at = Math.max(entry.at, this.#now)
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
    if (entry.every === undefined) this.#entries.delete(entry)
    else entry.at = this.#now + entry.every
    entry.callback()
  }
}

/** Lets the loop poll a few times, so that what is on loopback arrives. */
export async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}
