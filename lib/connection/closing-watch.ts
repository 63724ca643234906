import type { Duplex } from 'node:stream'
import { CloseDeadline } from '../core/close/deadline.js'
import { bytesTaken } from '../platform/node-internals.js'
import { afterNextPoll, type Sweep, type Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'

/** What `ClosingWatch` needs of the end that it watches. */
export interface ClosingWatchOwner {
  readonly raw: Duplex
  readonly closeTimeout: number
  /** The sweep for what opens or closes. */
  readonly sweep: Sweep
  /** Looks whether the cause is certain by now. */
  settle(): void
  /** Called when the peer has not gone in time. */
  overdue(): void
}

/**
 * Ends a closing connection whose peer does not go within its time. That time is decided by {@link
 * CloseDeadline}.
 */
export class ClosingWatch implements Swept {
  dueAt = 0
  place: number = OFF
  readonly #owner: ClosingWatchOwner
  readonly #deadline: CloseDeadline

  constructor(owner: ClosingWatchOwner) {
    const { closeTimeout, raw, sweep } = owner
    this.#owner = owner
    this.#deadline = new CloseDeadline(closeTimeout, sweep.forgivingNow, bytesTaken(raw))
    sweep.add(this)
  }

  stop(): void {
    this.#owner.sweep.delete(this)
  }

  /** An upgrade waits for the place of this connection: see {@link CloseDeadline.hurry}. */
  hurry(): void {
    this.#deadline.hurry(this.#owner.sweep.forgivingNow)
  }

  onSweep(now: number, forgivingNow: number): void {
    const { closeTimeout, sweep } = this.#owner
    this.#owner.settle()
    const remaining = this.#remaining(forgivingNow)
    sweep.move(this, now + Math.min(remaining, closeTimeout / 10))
    // Bytes that came while our loop stood still are read first.
    if (remaining <= 0) afterNextPoll(() => this.#judge())
  }

  #judge(): void {
    if (this.#remaining(this.#owner.sweep.forgivingNow) <= 0) this.#owner.overdue()
  }

  #remaining(forgivingNow: number): number {
    return this.#deadline.look(forgivingNow, bytesTaken(this.#owner.raw))
  }
}
