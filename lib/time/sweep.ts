import { LONGEST_LOOK, MOST_PER_TURN } from '../core/budgets.js'
import { startForAll } from '../platform/context.js'
import { setImmediate } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'
import type { Clock, Timer } from './clock.js'
import { type Due, Wheel } from './wheel.js'

/** What the sweep looks after; `dueAt` is by `clock.now()`. */
export interface Swept extends Due {
  /**
   * Looks, and says by {@link Sweep.move} when to look again; else it is the next tick.
   * @param forgivingNow the forgiving time: it stood still while our loop did
   */
  onSweep(now: number, forgivingNow: number): void
}

/** ms. */
const SHORTEST_TICK = 10

/** One recurring timer for many, which runs as long as there are some. Who is not due costs nothing. */
export class Sweep {
  readonly #clock: Clock
  /** Made for the first member: by then the tick is known. */
  #wheel: Wheel<Swept> | undefined
  #tick = LONGEST_LOOK
  #timer: Timer | undefined
  #tickedAt = 0
  #forgivingNow = 0
  #forgiven = 0
  /** Who was due at a tick, and waits for a turn of the loop. */
  readonly #due: Swept[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The forgiving time of the last tick: near enough for notes about each message, and free. */
  get forgivingAtTick(): number {
    return Math.floor(this.#forgivingNow)
  }

  /** The forgiving time now. */
  get forgivingNow(): number {
    return this.forgivingAt(this.#clock.now())
  }

  /** The forgiving time at `now`, as the clock has it. In whole ms, as those of {@link Wheel}: V8 needs no object for them. */
  forgivingAt(now: number): number {
    return Math.floor(this.#exactlyForgivingAt(now))
  }

  /** For how long our loop has stood still in all, in ms. */
  get forgiven(): number {
    return this.#forgiven
  }

  /** Makes the ticks fine enough for a timeout: a tenth of the shortest that is served. */
  serve(timeout: number): void {
    this.tickEvery(timeout / 10)
  }

  /** Makes them no further apart than so many ms, but for the shortest that there are. */
  tickEvery(period: number): void {
    this.#tick = Math.min(this.#tick, Math.max(SHORTEST_TICK, period))
  }

  add(member: Swept): void {
    const now = this.#clock.now()
    const wheel = (this.#wheel ??= new Wheel(this.#tick, now))
    wheel.add(member)
    if (this.#timer !== undefined) return
    this.#tickedAt = now
    this.#timer = startForAll(() => this.#clock.setInterval(() => this.#onTick(wheel), this.#tick))
    this.#timer.unref()
  }

  /** Looks at a member at another time than was planned; nothing happens for whoever is none. */
  move(member: Swept, at: number): void {
    this.#wheel?.move(member, at)
  }

  delete(member: Swept): void {
    this.#wheel?.delete(member)
    if (this.#wheel?.size !== 0 || this.#timer === undefined) return
    this.#forgivingNow = this.#exactlyForgivingAt(this.#clock.now())
    this.#clock.clearInterval(this.#timer)
    this.#timer = undefined
  }

  #exactlyForgivingAt(now: number): number {
    if (this.#timer === undefined) return this.#forgivingNow
    return this.#forgivingNow + Math.min(now - this.#tickedAt, this.#tick)
  }

  #onTick(wheel: Wheel<Swept>): void {
    const now = this.#clock.now()
    const elapsed = now - this.#tickedAt
    this.#tickedAt = now
    // A tick that comes late by more than a tick says that our loop stood still: peers could not
    // be heard in that time, so it does not count against them.
    const stall = elapsed > 2 * this.#tick ? elapsed - this.#tick : 0
    this.#forgiven += stall
    this.#forgivingNow += elapsed - stall
    const isLooking = this.#due.length > 0
    for (const member of wheel.turn(now)) this.#due.push(member)
    if (!isLooking) this.#lookAtSome(wheel)
  }

  /** Looks at some of who is due, and at the others in the next turns of the loop, so that no tick stalls it. */
  #lookAtSome(wheel: Wheel<Swept>): void {
    const some = this.#due.splice(0, MOST_PER_TURN)
    if (this.#due.length > 0) setImmediate(() => this.#lookAtSome(wheel))
    const now = this.#clock.now()
    const forgivingNow = this.forgivingAt(now)
    forEachAlone(some, (member) => {
      // It may have been looked at meanwhile, or the end of another one has taken it along.
      if (!wheel.isDue(member, now)) return
      // Whoever is found is not found again before it has been moved: also where its look throws.
      try {
        member.onSweep(now, forgivingNow)
      } finally {
        if (wheel.isDue(member, now)) wheel.move(member, now)
      }
    })
  }
}

/** Calls back when the loop has polled its sockets at least once more. */
export function afterNextPoll(callback: () => void): void {
  // From within the poll phase the first check phase comes before the next poll.
  setImmediate(() => setImmediate(callback))
}
