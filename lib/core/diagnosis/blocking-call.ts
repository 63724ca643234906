/** A call of a function of the app, until it has returned. */
export interface Call {
  /** The URL pattern of the route. */
  readonly route: string
  /** Such as `handler`, `onClose` or `messages`. */
  readonly step: string
  /** In ms of the clock, like `until`. */
  readonly from: number
  readonly until: number
}

/** No call that is shorter is worth a note, in ms: no stall is that short. */
const SHORTEST = 10

/** A call that ended so many ms before another one began gives way to it, also if it was longer. */
const FORGOTTEN_AFTER = 2_000

/**
 * Remembers the longest of the calls that were made lately, and says whether it was what has blocked the loop.
 * It never guesses: a call is blamed only if it ran for most of the time.
 */
export class BlockingCalls {
  #longest: Call | undefined

  /** @returns whether a call is long enough to be noted */
  static isLong(from: number, until: number): boolean {
    return until - from >= SHORTEST
  }

  note(call: Call): void {
    const known = this.#longest
    const isOld = known !== undefined && call.from - known.until > FORGOTTEN_AFTER
    if (known === undefined || isOld || lengthOf(call) > lengthOf(known)) this.#longest = call
  }

  /**
   * The loop has stood still for `lateness` ms, until now.
   * @returns the call that ran for more than half of this time; `undefined` if none did, as far as we know
   */
  blame(now: number, lateness: number): Call | undefined {
    const call = this.#longest
    this.#longest = undefined
    if (call === undefined) return undefined
    const within = call.until - Math.max(call.from, now - lateness)
    return within > lateness / 2 ? call : undefined
  }
}

function lengthOf({ from, until }: Call): number {
  return until - from
}
