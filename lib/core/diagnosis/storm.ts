import type { CloseCause } from '../close/policy.js'

/**
 * A storm begins when so many connections of a server have ended unexpectedly within {@link STORM_WINDOW}.
 * A busy server loses a few in a second all the time: phones in tunnels, pages that crash. Ten in a second,
 * ten seconds long, are one event: a proxy that restarts, a network that is gone, a bug in a new release.
 */
export const STORM_BEGINS_AT = 100

/** In ms. */
export const STORM_WINDOW = 10_000

/**
 * A storm is over when fewer connections than this have ended unexpectedly within {@link STORM_WINDOW}. Half of
 * what begins one: so it may swell and ebb, and ends also where a few are lost in each second of a quiet day.
 */
const CALM = STORM_BEGINS_AT / 2

/** A storm that lasts is told of again after so many ms. */
const TELLS_AGAIN_AFTER = 60_000

/** An unexpected end. */
export interface StormEnd {
  /** In ms of the clock. */
  readonly at: number
  readonly cause: CloseCause
  readonly route: string
}

/** All unexpected ends of a storm. The times are in ms of the clock. */
export interface StormSummary {
  readonly count: number
  readonly causes: ReadonlyMap<CloseCause, number>
  readonly routes: ReadonlyMap<string, number>
  readonly first: number
  readonly last: number
}

/** Whether a storm has begun, still lasts, or is over. */
export type StormPhase = 'begun' | 'lasting' | 'over'

/** Recognises a storm of unexpected ends, and counts its ends. */
export class Storm {
  /** The last ends while there is no storm. */
  #recent: StormEnd[] = []
  #tally: Tally | undefined
  #toldAt = 0

  /**
   * A connection has ended unexpectedly.
   * @returns the summary of the storm if it has begun with this end. The summary counts on. Then
   * {@link look} has to be called after each {@link STORM_WINDOW}.
   */
  ended(end: StormEnd): StormSummary | undefined {
    if (this.#tally !== undefined) {
      this.#tally.add(end)
      return undefined
    }
    const recent = this.#recent
    recent.push(end)
    if (recent.length > STORM_BEGINS_AT) recent.shift()
    const [first = end] = recent
    if (recent.length < STORM_BEGINS_AT || end.at - first.at > STORM_WINDOW) return undefined
    this.#tally = new Tally(first.at)
    for (const each of recent) this.#tally.add(each)
    this.#tally.takeNews()
    this.#recent = []
    this.#toldAt = end.at
    return this.#tally
  }

  /** @returns what to tell of the storm; if it is over, {@link stop} has to be called then */
  look(now: number): Exclude<StormPhase, 'begun'> | undefined {
    if (this.#tally === undefined || this.#tally.takeNews() < CALM) return 'over'
    if (now - this.#toldAt < TELLS_AGAIN_AFTER) return undefined
    this.#toldAt = now
    return 'lasting'
  }

  stop(): void {
    this.#tally = undefined
  }
}

class Tally implements StormSummary {
  count = 0
  last: number
  readonly first: number
  readonly causes: Map<CloseCause, number> = new Map()
  readonly routes: Map<string, number> = new Map()
  #countBefore = 0

  constructor(first: number) {
    this.first = first
    this.last = first
  }

  add({ at, cause, route }: StormEnd): void {
    this.count++
    this.last = at
    this.causes.set(cause, (this.causes.get(cause) ?? 0) + 1)
    this.routes.set(route, (this.routes.get(route) ?? 0) + 1)
  }

  /** @returns how many ends are new since the last call */
  takeNews(): number {
    const news = this.count - this.#countBefore
    this.#countBefore = this.count
    return news
  }
}
