import { LONGEST_LOOK, MOST_PER_TURN } from '../core/budgets.js'
import { startForAll } from '../platform/context.js'
import { setImmediate } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'
import type { Clock, Timer } from './clock.js'
import { type Due, Wheel } from './wheel.js'

/** Something that the sweep looks at. `dueAt` is a time of `clock.now()`. */
export interface Swept extends Due {
  /**
   * Looks, and calls {@link Sweep.move} to say when to look again. If it does not, it is called again at the
   * next tick.
   * @param forgivingNow the forgiving time, which stood still while our loop did
   */
  onSweep(now: number, forgivingNow: number): void
}

/** The shortest time between two ticks, in ms. */
const SHORTEST_TICK = 10

/**
 * One recurring timer for many members. It runs only while there are some. A member that is not due costs
 * nothing.
 *
 * It also keeps the forgiving time, which stands still while our loop does.
 */
export class Sweep {
  readonly #clock: Clock
  readonly #stalled: ((lateness: number) => void) | undefined
  /** Made for the first member: by then it is known how fine the ticks have to be. */
  #wheel: Wheel<Swept> | undefined
  #tick = LONGEST_LOOK
  #timer: Timer | undefined
  #tickedAt = 0
  #forgivingNow = 0
  #forgiven = 0
  /** Members that were due at a tick, and wait for a turn of the loop. */
  readonly #due: Swept[] = []

  /** @param stalled is told when our loop has stood still, and for how many ms */
  constructor(clock: Clock, stalled?: (lateness: number) => void) {
    this.#clock = clock
    this.#stalled = stalled
  }

  /**
   * The forgiving time of the last tick. It is exact enough for a note about each message, and costs nothing.
   */
  get forgivingAtTick(): number {
    return Math.floor(this.#forgivingNow)
  }

  /** The forgiving time now. */
  get forgivingNow(): number {
    return this.forgivingAt(this.#clock.now())
  }

  /**
   * The forgiving time at `now`, a time of the clock. In whole ms, like the times of {@link Wheel}: V8 needs
   * no object for such numbers.
   */
  forgivingAt(now: number): number {
    return Math.floor(this.#exactlyForgivingAt(now))
  }

  /** How long our loop has stood still in total, in ms. */
  get forgiven(): number {
    return this.#forgiven
  }

  /** Makes the ticks fine enough for a timeout: a tick is at most a tenth of the shortest timeout. */
  serve(timeout: number): void {
    this.tickEvery(timeout / 10)
  }

  /** Makes the ticks no further apart than so many ms, but not closer than the shortest tick. */
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

  /** Changes when a member is looked at. An object that is no member stays none. */
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
    // If a tick comes late by more than a tick, our loop has stood still. Nothing from peers could be read in
    // that time, so it does not count against them.
    const stall = elapsed > 2 * this.#tick ? elapsed - this.#tick : 0
    this.#forgiven += stall
    if (stall > 0) this.#stalled?.(stall)
    this.#forgivingNow += elapsed - stall
    const isLooking = this.#due.length > 0
    for (const member of wheel.turn(now)) this.#due.push(member)
    if (!isLooking) this.#lookAtSome(wheel)
  }

  /**
   * Looks at some of the members that are due, and at the others in the next turns of the loop, so that no
   * tick stalls it.
   */
  #lookAtSome(wheel: Wheel<Swept>): void {
    const some = this.#due.splice(0, MOST_PER_TURN)
    if (this.#due.length > 0) setImmediate(() => this.#lookAtSome(wheel))
    const now = this.#clock.now()
    const forgivingNow = this.forgivingAt(now)
    forEachAlone(some, (member) => {
      // The member may have been looked at meanwhile, or have been deleted by another one's look.
      if (!wheel.isDue(member, now)) return
      // A member that was found due is not found again before it has been moved. So it is moved also if its
      // look throws.
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
  // If we are in the poll phase now, the next check phase comes before the next poll. So this takes two.
  setImmediate(() => setImmediate(callback))
}
