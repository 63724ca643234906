/**
 * What is known of a peer that is gone: it had answered a ping, it had never answered one and was taken for
 * dead, or it was never asked.
 */
export type Answer = 'answered' | 'mute' | 'unasked'

/** Peers of one route that are gone. */
export interface MuteCount {
  /** How many were mute. */
  readonly count: number
  /** How many had answered. */
  readonly answered: number
  /** How many were never asked. */
  readonly unasked: number
  /** When the first of those was taken for dead that had never answered, in ms of the clock. */
  readonly since: number
}

/** So many ms of ends are counted together. In this time a route is told of once. */
const WINDOW = 3_600_000
const FEWEST = 20

/**
 * At least so many peers have to be mute for each one that answers, and less than so many may have gone unasked
 * for each mute one. A phone that vanishes before its first ping looks like a mute peer. But where only phones
 * vanish, others have answered, or most have gone before.
 */
const MUTE_FOR_EACH = 9

interface Route {
  /** When its window began. */
  readonly from: number
  since: number
  mute: number
  answered: number
  unasked: number
  /** With how many mute peers the others are asked next. */
  asksAt: number
}

/** Finds routes where nobody answers pings. */
export class MutePeers {
  readonly #routes = new Map<string, Route>()

  /**
   * The transport of a peer is gone.
   * @returns what is known of its route, if it may be that nobody there answers. Then ask those who are still
   * there, and call {@link isNobody}.
   */
  gone(now: number, route: string, answer: Answer): MuteCount | undefined {
    const counts = this.#of(route, now)
    counts[answer]++
    if (answer !== 'mute') return undefined
    if (counts.mute === 1) counts.since = now
    if (counts.mute < counts.asksAt) return undefined
    // To ask all the others takes a while, so we do not do that for each of many.
    counts.asksAt *= 2
    const { mute: count, answered, unasked, since } = counts
    const found = { count, answered, unasked, since }
    return isNobody(found) ? found : undefined
  }

  /** The route was told of. It is not told of again in this window. */
  told(route: string, now: number): void {
    this.#of(route, now).asksAt = Infinity
  }

  #of(route: string, now: number): Route {
    const known = this.#routes.get(route)
    if (known !== undefined && now - known.from < WINDOW) return known
    const counts = { from: now, since: now, mute: 0, answered: 0, unasked: 0, asksAt: FEWEST }
    this.#routes.set(route, counts)
    return counts
  }
}

/** Whether next to nobody answers. */
export function isNobody({ answered, count, unasked }: Omit<MuteCount, 'since'>): boolean {
  return answered * MUTE_FOR_EACH <= count && unasked < count * MUTE_FOR_EACH
}
