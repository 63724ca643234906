import { KERNEL_HOLDS, LONGEST_LOOK, SLOWEST_LINE } from '../budgets.js'

/** A resolved `keepalive` option. */
export interface HeartbeatPolicy {
  readonly interval: number
  readonly timeout: number | false
}

/** What the sweep sees when it looks at a connection. Times are of the forgiving clock. */
export interface Pulse {
  now: number
  /** Counts what the peer sent; any change is a sign of life. */
  received: number
  /** When the last frame came, or a little before. */
  receivedAt: number
  /** Bytes that the kernel took from us; any change means that a proxy saw traffic. */
  taken: number
  /** When our last message was handed to the stream, or a little before. */
  sentAt: number
  /** Whether we hold bytes that the kernel did not take yet. */
  backlogged: boolean
  /** Whether we do not read at present. */
  paused: boolean
  /** Where the last ping is: with ws (it compresses first), in our process, or gone. */
  ping: 'queued' | 'unwritten' | 'gone'
}

/** What is known of a connection without a look. Times are of the forgiving clock. */
export interface Talk {
  /** When the last frame came, or a little before. */
  readonly receivedAt: number
  /** When our last message was handed to the stream, or a little before. */
  readonly sentAt: number
  /** Bytes sent since the last look, or a few more. */
  readonly bytesUnseen: number
  /** {@link Heartbeat.restsFor} as of then. */
  readonly restsFor: number
}

/** As long as both sides talk nothing is due; what we send excuses silence, and has to be looked at once it is much. */
export function restsUntil(talk: Talk): number {
  return talk.bytesUnseen > MOST_UNSEEN ? 0 : Math.min(talk.receivedAt, talk.sentAt) + talk.restsFor
}

/** `suspect`: overdue, so far as this look tells; a verdict needs another look after a poll. */
export type HeartbeatAdvice = 'rest' | 'ping' | 'suspect'

/**
 * Pings leave so many times an interval, those of all connections together: a process that wakes up for a
 * few pongs pays for each time. Ticks are no further apart.
 */
export const DEPARTURES = 25

/** What may have been sent since the last look where none is needed, in bytes: what the slowest line carries between two. */
const MOST_UNSEEN = LONGEST_LOOK * SLOWEST_LINE

/** Pings while idle, and the verdict that a peer is dead: numbers in, advice out. */
export class Heartbeat {
  readonly #policy: HeartbeatPolicy
  #seenAt = 0
  #received = 0
  #taken = 0
  #backlogged = false
  /** Whether the kernel took something between the last two looks, and the peer said nothing. */
  #isTalkedTo = false
  /** No later than the last byte of either direction: a frame's time, or the look before its bytes showed. */
  #lastInAt = 0
  #lastOutAt = 0
  /**
   * The pause before the next ping: 0.9 to 0.98 intervals. It then waits for a departure and a tick, and the verdict
   * for another tick, each 1/25 of an interval at most: the whole is 1.1.
   */
  #patience = 0
  #pingedAt = 0
  #takenAtPing = 0
  /** The first unanswered ping: on its way out of our process, or with the kernel. */
  #unanswered: 'none' | 'leaving' | 'left' = 'none'
  /** Since when the peer has had no excuse for not answering it; may lie ahead. */
  #silentSince = 0
  /** When the slowest line would have carried all that the kernel took. */
  #lineClearAt = 0

  /** @param phase 0 to 1: spreads the first pings of connections that opened together */
  constructor(policy: HeartbeatPolicy, pulse: Pulse, phase: number) {
    this.#policy = policy
    this.#seenAt = pulse.now
    this.#received = pulse.received
    this.#taken = pulse.taken
    this.#lastInAt = pulse.now
    this.#lastOutAt = pulse.now
    this.#pingedAt = pulse.now
    this.#lineClearAt = pulse.now
    this.#patience = Math.floor(policy.interval * (0.5 + 0.48 * phase))
  }

  /** Notes what the sweep saw and says what to do about it. */
  look(pulse: Pulse): HeartbeatAdvice {
    const { now } = pulse
    const progressed = pulse.taken !== this.#taken
    const heard = pulse.received !== this.#received
    this.#isTalkedTo = progressed && !heard
    if (heard) {
      this.#received = pulse.received
      this.#lastInAt = Math.max(this.#seenAt, pulse.receivedAt)
      this.#silentSince = now
      // A ping that is still here was not answered by it.
      if (pulse.ping === 'gone') this.#unanswered = 'none'
      else if (this.#unanswered === 'left') this.#unanswered = 'leaving'
    }
    if (progressed) {
      // After a long time without a look it may all have been taken just now.
      const takenAt = Math.max(this.#lineClearAt, this.#seenAt, now - this.#closeLook())
      const carriedAt = takenAt + timeOnLine(pulse.taken - this.#taken)
      this.#lineClearAt = Math.min(carriedAt, now + timeOnLine(KERNEL_HOLDS))
      this.#taken = pulse.taken
      this.#lastOutAt = pulse.backlogged ? this.#seenAt : Math.max(this.#seenAt, pulse.sentAt)
    }
    // What excuses silence: we do not read, or the peer takes what waits for it.
    if (pulse.paused || (this.#backlogged && progressed)) this.#excuse(now)
    if (this.#unanswered === 'leaving') {
      // Also that ws keeps the ping, and what stands before it on the line; but not what we write
      // later, or a peer that is dead would live for as long as we talk to it.
      if (pulse.ping === 'queued') this.#excuse(now)
      this.#excuse(this.#lineClearAt)
      if (pulse.ping === 'gone') this.#unanswered = 'left'
    }
    this.#backlogged = pulse.backlogged
    this.#seenAt = now
    if (now >= this.#verdictAt()) return 'suspect'
    return pulse.ping === 'gone' && now >= this.#pingDueAt() ? 'ping' : 'rest'
  }

  /** A ping was handed over. @param jitter 0 to 1 */
  pinged(now: number, jitter: number): void {
    this.#pingedAt = now
    this.#takenAtPing = this.#taken
    this.#patience = Math.floor(this.#policy.interval * (0.9 + 0.08 * jitter))
    if (this.#unanswered === 'left') return
    this.#unanswered = 'leaving'
    this.#silentSince = Math.max(now, this.#lineClearAt)
  }

  /** The last ping was answered: all that stood before it on the line has arrived. */
  ponged(now: number): void {
    const behindPing = timeOnLine(this.#taken - this.#takenAtPing)
    this.#lineClearAt = Math.min(this.#lineClearAt, now + behindPing)
  }

  /** When a look can first lead to something, if nothing moves until then. */
  nextDueAt(): number {
    return Math.min(this.#pingDueAt(), this.#verdictAt())
  }

  /**
   * When the next look has to come, so that it leads to the same as if we looked all the time. Where
   * nothing moves that is when something is due; what moves says how much a look has to know.
   */
  nextLookAt(): number {
    return Math.min(this.nextDueAt(), this.#seenAt + this.#longestPause())
  }

  /** How long no look is needed where both sides talk, from the older of their last words on; 0 where a look is needed. */
  get restsFor(): number {
    return this.#unanswered === 'none' && !this.#isTalkedTo ? this.#patience : 0
  }

  /** Whether the kernel has a ping for the peer, which has not said one word since; `false` where no verdict is wanted. */
  get isUnanswered(): boolean {
    return this.#policy.timeout !== false && this.#unanswered === 'left'
  }

  /** How often to look at a peer that has to answer, and at what leaves for one that is silent, in ms. */
  #closeLook(): number {
    const { interval, timeout } = this.#policy
    return Math.ceil(Math.min(LONGEST_LOOK, interval / 10, (timeout || Infinity) / 10))
  }

  #longestPause(): number {
    // What we send, and when it leaves us, says for how long the peer may be silent.
    return this.#unanswered !== 'none' || this.#isTalkedTo ? this.#closeLook() : Infinity
  }

  #excuse(until: number): void {
    this.#silentSince = Math.max(this.#silentSince, until)
  }

  #verdictAt(): number {
    const { timeout } = this.#policy
    return timeout === false || this.#unanswered === 'none' ? Infinity : this.#silentSince + timeout
  }

  #pingDueAt(): number {
    const quietSince = Math.min(this.#lastInAt, this.#lastOutAt)
    const dueAt = Math.max(quietSince, this.#pingedAt) + this.#patience
    const gap = this.#policy.interval / DEPARTURES
    return Math.ceil(dueAt / gap) * gap
  }
}

/** What the slowest line takes for so many bytes, in whole ms. */
function timeOnLine(bytes: number): number {
  return Math.ceil(bytes / SLOWEST_LINE)
}
