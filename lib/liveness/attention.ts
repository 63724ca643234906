import { restsUntil, type Talk } from '../core/liveness/heartbeat.js'
import type { Clock } from '../time/clock.js'
import type { Sweep, Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'
import type { Keepalive } from './keepalive.js'
import type { TimeWatch } from './time-watch.js'

/**
 * When the sweep has to look at a connection, and what a look is. As long as a connection talks it rests: the sweep
 * then reads the first fields alone, which lie beside each other in memory. So this is a base class and no part of
 * the connection: there is one object, with these fields first. Nobody else writes `restsFor`.
 */
export abstract class Attention implements Swept, Talk {
  dueAt = 0
  place: number = OFF
  receivedAt = 0
  sentAt = 0
  bytesUnseen = 0
  /** 0: the sweep must look. */
  restsFor = 0
  /** Messages and control frames that came. */
  received = 0
  protected keepalive: Keepalive | undefined
  protected timeWatch: TimeWatch | undefined
  abstract readonly shared: { readonly clock: Clock; readonly sweep: Sweep }

  /** Whether the end has begun: the sweep looks no more. */
  protected abstract get hasLeftOpen(): boolean

  /** Looks at what waits for the app, and for the peer. @returns how long until the next look, in ms */
  protected abstract lookAtQueues(now: number, forgivingNow: number): number

  onSweep(now: number, forgivingNow: number): void {
    const rest = restsUntil(this) - forgivingNow
    if (rest > 0) {
      this.shared.sweep.move(this, now + rest)
      return
    }
    const next = Math.min(
      this.keepalive?.watch(forgivingNow) ?? Infinity,
      this.timeWatch?.look(now, forgivingNow) ?? Infinity,
    )
    this.#lookAgain(now, forgivingNow, next)
  }

  /** Has the sweep look by then, if it would not before. */
  lookBy(at: number): void {
    this.restsFor = 0
    if (at < this.dueAt) this.shared.sweep.move(this, at)
  }

  /** A frame came. */
  protected heard(): void {
    this.received++
    this.receivedAt = this.shared.sweep.forgivingAtTick
  }

  /**
   * The last ping was answered: looks now, while the data is cached. Not with time limits: ws is still parsing, which
   * they count as activity.
   */
  protected heardAnswer(keepalive: Keepalive): void {
    if (this.hasLeftOpen || this.timeWatch !== undefined) return
    const { clock, sweep } = this.shared
    const now = clock.now()
    const forgivingNow = sweep.forgivingAt(now)
    this.#lookAgain(now, forgivingNow, keepalive.note(forgivingNow))
  }

  /** @param next how long until the heart, or the time, needs another look, in ms */
  #lookAgain(now: number, forgivingNow: number, next: number): void {
    const nextOfQueues = this.lookAtQueues(now, forgivingNow)
    this.bytesUnseen = 0
    // A look may have ended it.
    if (!this.hasLeftOpen) {
      const mayRest = nextOfQueues === Infinity && this.timeWatch === undefined
      this.restsFor = (mayRest && this.keepalive?.restsFor) || 0
      this.shared.sweep.move(this, now + Math.min(next, nextOfQueues))
    }
  }
}
