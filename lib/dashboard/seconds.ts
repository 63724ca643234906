import type { LifecycleStats } from '../api/lifecycle.js'
import type { Counts, RouteNow, Second } from './protocol.js'
import { round } from './row.js'

/** How many are kept for pages that come later. */
const MOST_SECONDS = 300

/** How many round trips of a second count, the last ones. */
const MOST_SAMPLES = 1_000

/** More routes are not listed. */
const MOST_ROUTES = 200

/** What waits now. */
interface Waiting {
  readonly inbox: number
  readonly outbox: number
}

/** What has happened in each second. */
export class Seconds {
  readonly list: Second[] = []
  #before: LifecycleStats
  #latencies: number[] = []
  #samples = 0
  #stalled = 0

  constructor(stats: LifecycleStats) {
    this.#before = stats
  }

  ponged(latency: number): void {
    this.#latencies[this.#samples++ % MOST_SAMPLES] = latency
  }

  /** @param lateness in ms */
  stalled(lateness: number): void {
    this.#stalled += lateness
  }

  /** A second is over. @param at in epoch ms */
  next(at: number, stats: LifecycleStats, { inbox, outbox }: Waiting): Second {
    const before = this.#before
    const second: Second = {
      at,
      open: stats.open,
      opened: stats.opened - before.opened,
      ended: since(stats.closed, before.closed),
      refused: since(stats.refused, before.refused),
      latency: this.#takeLatency(),
      inbox,
      outbox,
      stalled: Math.round(this.#stalled),
    }
    this.#before = stats
    this.#stalled = 0
    if (this.list.push(second) > MOST_SECONDS) this.list.shift()
    return second
  }

  #takeLatency(): Second['latency'] {
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    this.#latencies = []
    this.#samples = 0
    const at = (part: number): number =>
      round(sorted[Math.ceil(sorted.length * part) - 1]) as number
    return sorted.length === 0 ? null : [at(0.5), at(0.95)]
  }
}

/** The routes as they are now. */
export function routesOf({ byRoute }: LifecycleStats): RouteNow[] {
  const routes = Object.entries(byRoute).map(([route, { open, opened, closed, refused }]) => ({
    route,
    open,
    opened,
    ended: since(closed, undefined),
    refused: since(refused, undefined),
  }))
  return routes.toSorted((a, b) => b.opened - a.opened).slice(0, MOST_ROUTES)
}

function since<Name extends string>(
  now: Readonly<Record<Name, number>>,
  before: Readonly<Record<Name, number>> | undefined,
): Counts {
  const counts: Record<string, number> = {}
  for (const name in now) {
    const count = now[name] - (before?.[name] ?? 0)
    if (count !== 0) counts[name] = count
  }
  return counts
}
