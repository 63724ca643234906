import { KERNEL_HOLDS, LONGEST_LOOK, SLOWEST_LINE } from '../budgets.js'

/** A resolved `keepalive` option. */
export interface HeartbeatPolicy {
  readonly interval: number
  readonly timeout: number | false
}

/** What a look at a connection shows. Times are of the forgiving clock. */
export interface Pulse {
  now: number
  /** A count of bytes (or frames) from the peer. Any change is a sign of life. */
  received: number
  /** When the last frame came, or a little before. */
  receivedAt: number
  /** Number of bytes that the kernel took from us. Any change means that a proxy on the way saw traffic. */
  taken: number
  /** When our last message was handed to the stream, or a little before. */
  sentAt: number
  /** Whether our process holds bytes that the kernel has not taken yet. */
  backlogged: boolean
  /** Whether reading is paused, so that no sign of life can come. */
  paused: boolean
  /**
   * Where the last ping is: queued by ws, which compresses first; not written by our process yet; or gone.
   */
  ping: 'queued' | 'unwritten' | 'gone'
}

/** What is known of a connection without a look at it. Times are of the forgiving clock. */
export interface Talk {
  /** When the last frame came, or a little before. */
  readonly receivedAt: number
  /** When our last message was handed to the stream, or a little before. */
  readonly sentAt: number
  /** Number of bytes sent since the last look, or a few more. */
  readonly bytesUnseen: number
  /** {@link Heartbeat.restsFor} at the last look. */
  readonly restsFor: number
}

/**
 * Until when a connection needs no look. As long as both sides talk, nothing is due. But bytes that we send
 * excuse the peer's silence, so a look is needed once we have sent many.
 */
export function restsUntil(talk: Talk): number {
  return talk.bytesUnseen > MOST_UNSEEN ? 0 : Math.min(talk.receivedAt, talk.sentAt) + talk.restsFor
}

/**
 * `suspect`: the peer is overdue, as far as this look can tell. A verdict needs another look after a poll.
 */
export type HeartbeatAdvice = 'rest' | 'ping' | 'suspect'

/**
 * In each interval the pings of all connections together leave at so many times. Fewer times are cheaper: a
 * process that wakes up for a few pongs pays for each time. Two ticks of the sweep are no further apart than
 * two of these times.
 */
export const DEPARTURES = 25

/**
 * How many bytes may have been sent since the last look before a new one is needed: as many as the slowest
 * line carries between two looks.
 */
const MOST_UNSEEN = LONGEST_LOOK * SLOWEST_LINE

/** Decides when to ping an idle connection, and when its peer is dead. It gets numbers and returns advice. */
export class Heartbeat {
  readonly #policy: HeartbeatPolicy
  #seenAt = 0
  #received = 0
  #taken = 0
  #backlogged = false
  /** Whether the kernel took bytes between the last two looks, while nothing came from the peer. */
  #isTalkedTo = false
  /**
   * Times that are never later than the last byte in, and the last byte out. Each is the time of a frame, or
   * of the look before its bytes showed.
   */
  #lastInAt = 0
  #lastOutAt = 0
  /**
   * The pause before the next ping: 0.9 to 0.98 intervals. The ping then waits for the next departure and for
   * a tick, each at most 1/25 of an interval; the verdict waits for one more tick. So the sum is at most 1.1
   * intervals.
   */
  #patience = 0
  #pingedAt = 0
  #takenAtPing = 0
  /** Where the first unanswered ping is: leaving our process, or left with the kernel. */
  #unanswered: 'none' | 'leaving' | 'left' = 'none'
  /** Since when the peer has no excuse for its silence. This time may be in the future. */
  #silentSince = 0
  /** When the slowest line will have carried all bytes that the kernel has taken. */
  #lineClearAt = 0

  /** @param phase 0 to 1: spreads the first pings of connections that opened at the same time */
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

  /** Takes in what a look shows, and returns what to do. */
  look(pulse: Pulse): HeartbeatAdvice {
    const { now } = pulse
    const progressed = pulse.taken !== this.#taken
    const heard = pulse.received !== this.#received
    this.#isTalkedTo = progressed && !heard
    if (heard) {
      this.#received = pulse.received
      this.#lastInAt = Math.max(this.#seenAt, pulse.receivedAt)
      this.#silentSince = now
      // A ping that is still in our process cannot have been answered.
      if (pulse.ping === 'gone') this.#unanswered = 'none'
      else if (this.#unanswered === 'left') this.#unanswered = 'leaving'
    }
    if (progressed) {
      // If the last look was long ago, the kernel may have taken all of it just now.
      const takenAt = Math.max(this.#lineClearAt, this.#seenAt, now - this.#closeLook())
      const carriedAt = takenAt + timeOnLine(pulse.taken - this.#taken)
      this.#lineClearAt = Math.min(carriedAt, now + timeOnLine(KERNEL_HOLDS))
      this.#taken = pulse.taken
      this.#lastOutAt = pulse.backlogged ? this.#seenAt : Math.max(this.#seenAt, pulse.sentAt)
    }
    // Silence is excused while we do not read, and while the peer takes bytes that wait for it.
    if (pulse.paused || (this.#backlogged && progressed)) this.#excuse(now)
    if (this.#unanswered === 'leaving') {
      // Silence is also excused while ws keeps the ping, and while the line carries the bytes before the
      // ping. Bytes that we write later excuse nothing: else a dead peer would live for as long as we talk to
      // it.
      if (pulse.ping === 'queued') this.#excuse(now)
      this.#excuse(this.#lineClearAt)
      if (pulse.ping === 'gone') this.#unanswered = 'left'
    }
    this.#backlogged = pulse.backlogged
    this.#seenAt = now
    if (now >= this.#verdictAt()) return 'suspect'
    return pulse.ping === 'gone' && now >= this.#pingDueAt() ? 'ping' : 'rest'
  }

  /**
   * A ping was given to the stream, or to ws.
   * @param jitter 0 to 1
   */
  pinged(now: number, jitter: number): void {
    this.#pingedAt = now
    this.#takenAtPing = this.#taken
    this.#patience = Math.floor(this.#policy.interval * (0.9 + 0.08 * jitter))
    if (this.#unanswered === 'left') return
    this.#unanswered = 'leaving'
    this.#silentSince = Math.max(now, this.#lineClearAt)
  }

  /** The last ping was answered: so all bytes before it have arrived. */
  ponged(now: number): void {
    const behindPing = timeOnLine(this.#taken - this.#takenAtPing)
    this.#lineClearAt = Math.min(this.#lineClearAt, now + behindPing)
  }

  /** The earliest time at which a look can lead to something, if nothing moves until then. */
  nextDueAt(): number {
    return Math.min(this.#pingDueAt(), this.#verdictAt())
  }

  /**
   * When the next look has to come, so that the result is the same as if we looked all the time. If nothing
   * moves, that is when something becomes due. If something moves, looks have to be close enough to notice
   * it.
   */
  nextLookAt(): number {
    return Math.min(this.nextDueAt(), this.#seenAt + this.#longestPause())
  }

  /**
   * How long no look is needed while both sides talk, counted from the older of the two last times. 0: a look
   * is needed.
   */
  get restsFor(): number {
    return this.#unanswered === 'none' && !this.#isTalkedTo ? this.#patience : 0
  }

  /**
   * Whether the kernel has taken a ping, and nothing has come from the peer since. `false` where no verdict
   * is wanted.
   */
  get isUnanswered(): boolean {
    return this.#policy.timeout !== false && this.#unanswered === 'left'
  }

  /** Whether the peer would be suspect now if a stall of ours, of so many ms, counted against it. */
  isSparedBy(now: number, stall: number): boolean {
    const verdictAt = this.#verdictAt()
    return now < verdictAt && verdictAt <= now + stall
  }

  /**
   * The time between two looks, in ms, at a peer that has to answer, or at a peer that is silent while bytes
   * leave for it.
   */
  #closeLook(): number {
    const { interval, timeout } = this.#policy
    return Math.ceil(Math.min(LONGEST_LOOK, interval / 10, (timeout || Infinity) / 10))
  }

  #longestPause(): number {
    // Bytes that the kernel is still taking excuse the peer's silence. So looks have to be frequent then.
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

/** How long the slowest line needs for so many bytes, in whole ms. */
function timeOnLine(bytes: number): number {
  return Math.ceil(bytes / SLOWEST_LINE)
}
