import type { LifecycleStats, RefusalReason, RouteStats } from '../api/lifecycle.js'
import type { CloseInfo } from '../core/close/info.js'
import { CLOSE_CAUSES, type CloseCause } from '../core/close/policy.js'
import type { LiveConnection } from './registry.js'
import { addTotals, noTraffic, type Traffic } from './traffic.js'

/** What is counted for one route. */
interface OfRoute extends RouteStats {
  /** What has gone over the connections that have ended. */
  readonly traffic: Traffic
}

/** Counts of what has happened since the server started: in all, and for each route. */
export class Counters {
  readonly sessions: LifecycleStats['sessions'] = {
    connected: 0,
    suspended: 0,
    resumed: 0,
    expired: 0,
    displaced: 0,
    stale: 0,
  }
  readonly #all = noCounts()
  readonly #byRoute = new Map<string, OfRoute>()

  declare(route: string): void {
    this.#of(route)
  }

  opened(route: string): void {
    for (const counts of [this.#all, this.#of(route)]) {
      counts.open++
      counts.opened++
    }
  }

  closed(route: string, close: CloseInfo): void {
    for (const counts of [this.#all, this.#of(route)]) counts.closed[close.cause]++
    addTotals(this.#of(route).traffic, close)
  }

  released(route: string): void {
    for (const counts of [this.#all, this.#of(route)]) counts.open--
  }

  /** @param route `undefined` if the path belongs to none */
  refused(route: string | undefined, reason: RefusalReason): void {
    this.#all.refused[reason]++
    if (route !== undefined) this.#of(route).refused[reason]++
  }

  dropped(route: string, count: number): void {
    for (const counts of [this.#all, this.#of(route)]) counts.dropped += count
  }

  /** @param route `''` for an upgrade that has none */
  abandoned(route: string): void {
    this.#all.abandoned++
    if (route !== '') this.#of(route).abandoned++
  }

  /** The traffic of each route, by its pattern: of connections that have ended, and of those that live. */
  traffic(live: Iterable<LiveConnection>): Map<string, Traffic> {
    const byRoute = new Map<string, Traffic>()
    for (const [route, { traffic }] of this.#byRoute) byRoute.set(route, { ...traffic })
    // Each was counted when it was opened, so there are counts of its route.
    for (const each of live) each.addTraffic(byRoute.get(each.routeUrl) as Traffic)
    return byRoute
  }

  /** A copy of the counters. */
  stats(): LifecycleStats {
    const byRoute = Array.from(this.#byRoute, ([route, counts]) => [route, copyOf(counts)] as const)
    return {
      ...copyOf(this.#all),
      sessions: { ...this.sessions },
      byRoute: Object.fromEntries(byRoute),
    }
  }

  #of(route: string): OfRoute {
    const known = this.#byRoute.get(route)
    if (known !== undefined) return known
    const counts = { ...noCounts(), traffic: noTraffic() }
    this.#byRoute.set(route, counts)
    return counts
  }
}

function noCounts(): RouteStats {
  const closed = Object.fromEntries(CLOSE_CAUSES.map((cause) => [cause, 0]))
  return {
    open: 0,
    opened: 0,
    refused: { draining: 0, route: 0, origin: 0, limit: 0, key: 0, handshake: 0, hook: 0 },
    closed: closed as Record<CloseCause, number>,
    dropped: 0,
    abandoned: 0,
  }
}

function copyOf({ open, opened, refused, closed, dropped, abandoned }: RouteStats): RouteStats {
  return { open, opened, refused: { ...refused }, closed: { ...closed }, dropped, abandoned }
}
