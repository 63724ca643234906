import { LONGEST_LOOK } from '../budgets.js'
import type { CauseWithCode } from '../close/policy.js'
import { MOST_CONTROL, SHORT_HEADER } from '../frame.js'

/** The resolved options that bound the time of a connection. */
export interface TimePolicy {
  readonly idleTimeout: number | false
  readonly maxLifetime: number | false
}

/** What a look at a connection shows to {@link TimeLimits}. */
export interface TimeFacts {
  /** Monotonic ms. */
  readonly now: number
  /** The time of the forgiving clock, which stands still while our loop does. */
  readonly forgivingNow: number
  /** Epoch ms. */
  readonly wall: number
  /** Number of application messages in both directions, of fragments sent, and of pauses of reading. */
  readonly activity: number
  /** Number of bytes that have come of a message that is not complete yet. */
  readonly arriving: number
  /** Number of bytes that the kernel took from us. Control frames are included. */
  readonly taken: number
  /** Whether bytes that were sent are not with the kernel yet. */
  readonly backlogged: boolean
  /** Whether a message waits or is being handled, or reading is paused. */
  readonly busy: boolean
}

export type TimeCause = Extract<CauseWithCode, 'idle-timeout' | 'lifetime-expired' | 'auth-expired'>

/**
 * A lifetime is shortened at random by up to this share. So connections that opened together do not end
 * together.
 */
const SHORTENED_BY = 0.1

/** The most bytes that TLS adds to a record. */
const TLS_RECORD = 64

/**
 * The most bytes of a ping or pong that the kernel may take. For a smaller one we subtract too much, but that
 * is forgotten as soon as nothing waits.
 */
const MOST_OF_A_CONTROL_FRAME = SHORT_HEADER + MOST_CONTROL + TLS_RECORD

/**
 * So many looks are made in one `idleTimeout`. Idle time counts from a look at which nothing had moved, so it
 * is exact to a tenth.
 */
const LOOKS_FOR_IDLENESS = 10

/**
 * When the lifetime of a connection that opens now is over, in monotonic ms.
 * @param random 0 to 1
 */
export function lifetimeEnd({ maxLifetime }: TimePolicy, now: number, random: number): number {
  return now + (maxLifetime || Infinity) * (1 - SHORTENED_BY * random)
}

/** Decides when a connection has to end because of time: idle, too old, or its credentials expired. */
export class TimeLimits {
  /** When the credentials end, epoch ms. */
  expiresAt = 0
  /** Number of pings and pongs that were sent. They are no activity, also when the kernel takes them. */
  controlFrames = 0
  /** Since when it is idle, in forgiving time. */
  activeAt = 0
  readonly #idleTimeout: number
  readonly #endsAt: number
  #activity = 0
  #arriving = 0
  /** So many bytes of messages the kernel has taken at least; the highest such number so far. */
  #taken = 0
  #wasBusy = false

  /** @param endsAt see {@link lifetimeEnd} */
  constructor({ idleTimeout }: TimePolicy, expiresAt: number, endsAt: number, now: number) {
    this.expiresAt = expiresAt
    this.#idleTimeout = idleTimeout || Infinity
    this.#endsAt = endsAt
    this.activeAt = now
  }

  /** @returns why the connection has to end now, if it has to */
  look(facts: TimeFacts): TimeCause | undefined {
    // The work that kept it busy at the last look may have ended just now.
    if (facts.busy || this.#wasBusy || this.#hasMoved(facts)) this.activeAt = facts.forgivingNow
    this.#wasBusy = facts.busy
    this.#activity = facts.activity
    this.#arriving = facts.arriving
    const taken = this.#takenOfMessages(facts)
    // A control frame is subtracted when it is sent, but the kernel may take it later, as long as something
    // waits. So the number must not go down meanwhile.
    this.#taken = facts.backlogged ? Math.max(this.#taken, taken) : taken
    if (facts.wall >= this.expiresAt) return 'auth-expired'
    if (facts.now >= this.#endsAt) return 'lifetime-expired'
    if (facts.forgivingNow >= this.activeAt + this.#idleTimeout) return 'idle-timeout'
    return undefined
  }

  /** Whether a message, or a part of one, has come in or gone out since the last look. */
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
    const untilIdle = this.activeAt + this.#idleTimeout - forgivingNow
    const untilExpiry = this.expiresAt - wall
    return Math.min(
      untilIdle,
      this.#idleTimeout / LOOKS_FOR_IDLENESS,
      this.#endsAt - now,
      // Somebody may set the wall clock. So the time until a date is computed again at each look.
      untilExpiry === Infinity ? Infinity : Math.min(untilExpiry, LONGEST_LOOK),
    )
  }
}
