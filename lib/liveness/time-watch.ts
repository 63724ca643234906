import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { CauseWithCode } from '../core/close/policy.js'
import { type TimeFacts, TimeLimits, type TimePolicy } from '../core/liveness/time-limits.js'
import { bytesHeld, bytesTaken } from '../platform/node-internals.js'
import { bytesArriving, isParsing } from '../platform/ws-receiver.js'
import { bufferedByWs, isPreparing, queuedFrames } from '../platform/ws-sender.js'
import type { Clock } from '../time/clock.js'
import { afterNextPoll, type Sweep } from '../time/sweep.js'

/** What `TimeWatch` needs of its connection. */
export interface TimeWatchOwner {
  readonly shared: { readonly clock: Clock; readonly sweep: Sweep }
  readonly raw: Duplex
  readonly socket: WebSocket
  /** Number of messages in both directions, of fragments sent, and of pauses of reading. */
  readonly activity: number
  readonly isOpen: boolean
  /** Whether a message waits or is being handled, or reading is paused. */
  readonly isHandling: boolean
  end(cause: CauseWithCode): void
  /** A limit was reached, but at the second look it was not. */
  verdictAverted(cause: CauseWithCode): void
}

/**
 * Ends a connection that is idle, too old, or whose credentials have expired. Made only for a connection with
 * such a limit.
 */
export class TimeWatch {
  readonly #owner: TimeWatchOwner
  readonly #limits: TimeLimits

  /**
   * @param expiresAt when the credentials end, epoch ms
   * @param endsAt when its lifetime is over, by the clock
   */
  constructor(owner: TimeWatchOwner, policy: TimePolicy, expiresAt: number, endsAt: number) {
    const { clock, sweep } = owner.shared
    const [now, { forgivingNow }] = [clock.now(), sweep]
    this.#owner = owner
    this.#limits = new TimeLimits(policy, expiresAt, endsAt, forgivingNow)
    // The first look only notes the byte counts of now: the kernel has already taken the 101, for instance.
    // Only a change after that is activity.
    this.#limits.look(this.#facts(now, forgivingNow))
  }

  /** How long it has been idle, in ms. */
  get idleFor(): number {
    return this.#owner.shared.sweep.forgivingNow - this.#limits.activeAt
  }

  set idleFor(duration: number) {
    this.#limits.activeAt = this.#owner.shared.sweep.forgivingNow - duration
  }

  set expiresAt(expiresAt: number) {
    this.#limits.expiresAt = expiresAt
  }

  /** A ping or pong is sent: it does not count as activity. */
  noteControl(): void {
    this.#limits.controlFrames++
  }

  /** @returns how long until the next look, in ms */
  look(now: number, forgivingNow: number): number {
    const facts = this.#facts(now, forgivingNow)
    // Bytes that came while our loop stood still are read first.
    const suspected = this.#limits.look(facts)
    if (suspected !== undefined) afterNextPoll(() => this.#judge(suspected))
    return this.#limits.remaining(facts)
  }

  #judge(suspected: CauseWithCode): void {
    const { clock, sweep } = this.#owner.shared
    const cause = this.#limits.look(this.#facts(clock.now(), sweep.forgivingNow))
    if (cause !== undefined) this.#owner.end(cause)
    else if (this.#owner.isOpen) this.#owner.verdictAverted(suspected)
  }

  #facts(now: number, forgivingNow: number): TimeFacts {
    const { raw, socket, shared, activity, isHandling } = this.#owner
    const held = bytesHeld(raw)
    return {
      now,
      forgivingNow,
      wall: shared.clock.wall(),
      activity,
      arriving: bytesArriving(socket),
      taken: bytesTaken(raw, held) ?? 0,
      backlogged: held > 0 || bufferedByWs(socket) > 0 || queuedFrames(socket) > 0,
      // A message that waits for our own compression makes no progress either, like one that waits for our
      // own handler.
      busy: isHandling || isParsing(socket) || isPreparing(socket),
    }
  }
}
