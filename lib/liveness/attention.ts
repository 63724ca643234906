import type { Silence } from '../core/diagnosis/idle-cluster.js'
import { restsUntil, type Talk } from '../core/liveness/heartbeat.js'
import type { Clock } from '../time/clock.js'
import type { Sweep, Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'
import type { Keepalive } from './keepalive.js'
import type { TimeWatch } from './time-watch.js'

/**
 * Decides when the sweep has to look at a connection, and looks at it.
 *
 * A connection that talks rests: the sweep then reads only the first fields, which lie beside each other in
 * memory. So this is a base class and not a part of the connection: the connection is one object, with these
 * fields first. Only this class writes `restsFor`.
 */
export abstract class Attention implements Swept, Talk {
  dueAt = 0
  place: number = OFF
  receivedAt = 0
  sentAt = 0
  bytesUnseen = 0
  /** How long no look is needed while both sides talk, in ms. 0: the sweep must look. */
  restsFor = 0
  /** Number of messages and control frames that came. */
  received = 0
  protected keepalive: Keepalive | undefined
  protected timeWatch: TimeWatch | undefined
  abstract readonly shared: { readonly clock: Clock; readonly sweep: Sweep }

  /** Whether the end has begun. From then on the sweep no longer looks. */
  protected abstract get hasLeftOpen(): boolean

  /**
   * Looks at the messages that wait for the app, and at those that wait for the peer.
   * @returns how long until the next look, in ms
   */
  protected abstract lookAtQueues(now: number, forgivingNow: number): number

  /** How long each side has sent nothing, in ms. It is more than the connection is old if it never has. */
  get silence(): Silence {
    const { clock, sweep } = this.shared
    const now = sweep.forgivingNow
    const pinged = clock.now() - (this.keepalive?.pingedAt ?? -Infinity)
    return { received: now - this.receivedAt, sent: Math.min(now - this.sentAt, pinged), pinged }
  }

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

  /** Makes the sweep look at `at` at the latest, in ms of the clock. */
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
   * The last ping was answered. This looks now, while the data of the connection is in the CPU's cache.
   *
   * It does not look where there are time limits: ws is still parsing at this moment, and they would count
   * that as activity.
   */
  protected heardAnswer(keepalive: Keepalive): void {
    if (this.hasLeftOpen || this.timeWatch !== undefined) return
    const { clock, sweep } = this.shared
    const now = clock.now()
    const forgivingNow = sweep.forgivingAt(now)
    this.#lookAgain(now, forgivingNow, keepalive.note(forgivingNow))
  }

  /** @param next how long until keepalive, or a time limit, needs another look, in ms */
  #lookAgain(now: number, forgivingNow: number, next: number): void {
    const nextOfQueues = this.lookAtQueues(now, forgivingNow)
    this.bytesUnseen = 0
    // The look itself may have ended the connection.
    if (!this.hasLeftOpen) {
      const mayRest = nextOfQueues === Infinity && this.timeWatch === undefined
      this.restsFor = (mayRest && this.keepalive?.restsFor) || 0
      this.shared.sweep.move(this, now + Math.min(next, nextOfQueues))
    }
  }
}
