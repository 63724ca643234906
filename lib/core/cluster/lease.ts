/** A renewal that has been answered. Times are in ms. */
export interface Renewal {
  /** By the node's own clock. */
  readonly sentAt: number
  readonly answeredAt: number
  /** By Redis's clock. */
  readonly redisNow: number
  /** By Redis's clock: until when the lease was to last before. `undefined` if Redis did not know this node. */
  readonly leaseEnd: number | undefined
}

/** A node renews its lease so many times in each. */
const RENEWALS = 3

/**
 * What a node may believe of itself, by its own clock, and of others.
 *
 * It is *connected* while its last renewal came through and its lease lasts. It is *cut off* from the moment when
 * others may think so. It *may claim* dead nodes only after a full lease of its own renewals, one after the other and
 * on one connection: whoever was away himself, or whose Redis was, finds all others dead before they can renew.
 */
export class Lease {
  /** How long it is between two renewals, in ms. */
  readonly beat: number
  readonly #length: number
  #triedAt = -Infinity
  #last: Renewal | undefined
  #hasFailed = false
  /** When the first answer of an unbroken row of renewals came. */
  #rowSince: number | undefined
  #cutOffAt: number

  /** @param length in ms */
  constructor(length: number, now: number) {
    this.#length = length
    this.beat = length / RENEWALS
    this.#cutOffAt = now + length
  }

  /** When to renew again. */
  get dueAt(): number {
    return this.#triedAt + this.beat
  }

  /** When others stop to believe in this node, unless a renewal comes through before. */
  get cutOffAt(): number {
    return this.#cutOffAt
  }

  isConnected(now: number): boolean {
    return this.#last !== undefined && !this.#hasFailed && now < this.#cutOffAt
  }

  /** Whether what the last renewal has told of others may be believed. */
  get mayClaim(): boolean {
    if (this.#last === undefined || this.#rowSince === undefined) return false
    return this.#last.sentAt - this.#rowSince >= this.#length
  }

  tries(now: number): void {
    this.#triedAt = now
  }

  failed(): void {
    this.#hasFailed = true
  }

  /** A connection to Redis was lost: the next one may lead to another Redis. */
  reconnected(): void {
    this.#rowSince = undefined
  }

  /** @returns whether Redis still knew of the last renewal: otherwise it has lost what this node has written */
  renewed(renewal: Renewal): boolean {
    const last = this.#last
    const isKnown = last !== undefined && (renewal.leaseEnd ?? 0) >= last.redisNow + this.#length
    if (!isKnown || !this.#follows(last, renewal)) this.#rowSince = undefined
    this.#rowSince ??= renewal.answeredAt
    this.#last = renewal
    this.#cutOffAt = renewal.sentAt + this.#length
    this.#hasFailed = false
    return isKnown
  }

  /** Whether neither this process nor Redis stood still for a lease, and Redis's clock did not jump. */
  #follows(last: Renewal, next: Renewal): boolean {
    const took = next.answeredAt - last.sentAt
    return took <= this.#length && next.redisNow - last.redisNow <= took + this.beat
  }
}
