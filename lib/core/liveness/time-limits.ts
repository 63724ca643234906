import { LONGEST_LOOK } from '../budgets.js'
import type { CloseCause } from '../close/policy.js'
import { MOST_CONTROL, SHORT_HEADER } from '../frame.js'

/** The resolved options that bound the time of a connection. */
export interface TimePolicy {
  readonly idleTimeout: number | false
  readonly maxLifetime: number | false
}

/** What a look at a connection shows. */
export interface TimeFacts {
  /** Monotonic ms. */
  readonly now: number
  /** The forgiving clock, which stands still while our loop does. */
  readonly forgivingNow: number
  /** Epoch ms. */
  readonly wall: number
  /** Counts application messages, in both directions, fragments sent, and pauses of reading. */
  readonly activity: number
  /** Bytes that came of a message that is not whole yet. */
  readonly arriving: number
  /** Bytes that the kernel took from us, those of control frames included. */
  readonly taken: number
  /** Whether something that was sent is not with the kernel yet. */
  readonly backlogged: boolean
  /** Whether a message waits or is being handled, or reading is paused. */
  readonly busy: boolean
}

export type TimeCause = Extract<CloseCause, 'idle-timeout' | 'lifetime-expired' | 'auth-expired'>

/** So much of a lifetime is cut off at random at most: a fleet that came together goes one by one. */
const SHORTENED_BY = 0.1

/** What TLS adds to a record, at most, in bytes. */
const TLS_RECORD = 64

/**
 * No ping or pong takes more of what the kernel took, in bytes. What is subtracted too much is forgotten as soon as nothing
 * waits.
 */
const MOST_OF_A_CONTROL_FRAME = SHORT_HEADER + MOST_CONTROL + TLS_RECORD

/** Silence is noticed to a tenth of its limit: it counts from a look at which nothing had come. */
const LOOKS_FOR_IDLENESS = 10

/** The times at which a connection has to end. */
export class TimeLimits {
  /** When the credentials end, epoch ms. */
  expiresAt = 0
  /** Pings and pongs that were sent: no activity, also where the kernel takes them. */
  controlFrames = 0
  readonly #idleTimeout: number
  readonly #endsAt: number
  #activity = 0
  #arriving = 0
  /** The most that the kernel has taken of messages; of less that is certain. */
  #taken = 0
  #wasBusy = false
  #activeAt = 0

  /** @param random 0 to 1 */
  constructor(
    policy: TimePolicy,
    expiresAt: number,
    now: number,
    forgivingNow: number,
    random: number,
  ) {
    this.expiresAt = expiresAt
    this.#idleTimeout = policy.idleTimeout || Infinity
    this.#endsAt = now + (policy.maxLifetime || Infinity) * (1 - SHORTENED_BY * random)
    this.#activeAt = forgivingNow
  }

  /** @returns why the connection has to end now, if it has to */
  look(facts: TimeFacts): TimeCause | undefined {
    // What kept it busy at the last look may have ended only now.
    if (facts.busy || this.#wasBusy || this.#hasMoved(facts)) this.#activeAt = facts.forgivingNow
    this.#wasBusy = facts.busy
    this.#activity = facts.activity
    this.#arriving = facts.arriving
    const taken = this.#takenOfMessages(facts)
    // A control frame is subtracted when it is sent; as long as something waits it may be taken later.
    this.#taken = facts.backlogged ? Math.max(this.#taken, taken) : taken
    if (facts.wall >= this.expiresAt) return 'auth-expired'
    if (facts.now >= this.#endsAt) return 'lifetime-expired'
    if (facts.forgivingNow >= this.#activeAt + this.#idleTimeout) return 'idle-timeout'
    return undefined
  }

  /** Whether a message, or a part of one, came in or went out since the last look. */
  #hasMoved(facts: TimeFacts): boolean {
    return (
      facts.activity !== this.#activity ||
      facts.arriving !== this.#arriving ||
      this.#takenOfMessages(facts) > this.#taken
    )
  }

  #takenOfMessages({ taken }: TimeFacts): number {
    return taken - this.controlFrames * MOST_OF_A_CONTROL_FRAME
  }

  /** @returns how long until a look can lead to something, in ms */
  remaining({ now, forgivingNow, wall }: TimeFacts): number {
    const untilIdle = this.#activeAt + this.#idleTimeout - forgivingNow
    const untilExpiry = this.expiresAt - wall
    return Math.min(
      untilIdle,
      this.#idleTimeout / LOOKS_FOR_IDLENESS,
      this.#endsAt - now,
      // The wall clock can be set: what is left until a date is worked out again and again.
      untilExpiry === Infinity ? Infinity : Math.min(untilExpiry, LONGEST_LOOK),
    )
  }
}
