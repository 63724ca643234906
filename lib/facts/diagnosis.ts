import type { FastifyInstance } from 'fastify'
import type { CloseInfo } from '../core/close/info.js'
import {
  type IdleCluster,
  IdleClusters,
  intervalBelow,
  outlives,
  silenceOf,
} from '../core/diagnosis/idle-cluster.js'
import { type Answer, isNobody, MutePeers } from '../core/diagnosis/mute-peers.js'
import { peek } from '../platform/thrown.js'
import type { Clock } from '../time/clock.js'
import { CHANNELS } from './events.js'
import { LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'
import type { Registry } from './registry.js'
import { byFrequency, namedInLine, wallAt } from './reports.js'
import { StormLog } from './storm-log.js'
import type { TransportSubject } from './subjects.js'

/**
 * Looks at the ends of all connections of a server together, and reports what no single one shows. Each
 * report is one log line and one event. What it remembers is bounded.
 */
export class Diagnosis {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly #registry: Registry
  readonly #storms: StormLog
  readonly #idle = new IdleClusters()
  readonly #mute = new MutePeers()
  #errorAt = -Infinity

  constructor(app: FastifyInstance, clock: Clock, registry: Registry) {
    this.#app = app
    this.#clock = clock
    this.#registry = registry
    this.#storms = new StormLog(app, clock)
  }

  /** Whether so many connections end unexpectedly that only their summary is logged. */
  get isStormy(): boolean {
    return this.#storms.isStormy
  }

  /** Whether an error of the app is one too many: in a storm one in a second is logged. */
  get drownsErrors(): boolean {
    if (!this.isStormy) return false
    const now = this.#clock.now()
    if (now - this.#errorAt < 1_000) return true
    this.#errorAt = now
    return false
  }

  /** A connection has ended, or the connection of a session was lost. */
  ended(route: string, close: CloseInfo): void {
    this.#storms.ended(route, close)
  }

  /** The transport of a connection is gone, and it was not us who have let it go. */
  transportGone(transport: TransportSubject, close: CloseInfo): void {
    const { cause, error, expected, latency } = close
    const isLost = cause === 'connection-lost' || cause === 'connection-reset'
    // With ETIMEDOUT our own kernel has given up: its time says nothing about what is between.
    if (isLost && !expected && peek(error, 'code') !== 'ETIMEDOUT') this.#lost(transport)
    const { routeUrl, silence } = transport
    if (latency !== undefined) this.#gone(routeUrl, 'answered')
    else if (cause === 'heartbeat-timeout') this.#gone(routeUrl, 'mute')
    else if (silence.pinged === Infinity) this.#gone(routeUrl, 'unasked')
  }

  /** The server has shut down. */
  stop(): void {
    this.#storms.stop()
  }

  #lost(transport: TransportSubject): void {
    const { routeUrl: route, settings, silence } = transport
    const { keepalive } = settings
    const loss = {
      at: this.#clock.now(),
      route,
      silence,
      interval: keepalive === false ? Infinity : keepalive.interval,
    }
    const cluster = this.#idle.lost(loss, (found) => this.#isOutlived(found))
    if (cluster === undefined) return
    const { silent, count } = cluster
    const age = Math.floor(cluster.age)
    const since = wallAt(this.#clock, cluster.since)
    const routes = byFrequency(cluster.routes)
    const report = { silent, age, interval: intervalBelow(age), count, since }
    logSafely(this.#app.log, LOG_LINES.idleTimeout, { ...report, routes: namedInLine(routes) })
    const told = CHANNELS['diagnosis.idle-timeout']
    if (told.hasSubscribers) told.publish({ app: this.#app, ...report, routes })
  }

  /** Whether more than a tenth of those who are connected on the same routes are silent for longer. */
  #isOutlived({ age, routes, silent }: IdleCluster): boolean {
    const from = outlives(age)
    let there = 0
    let outliving = 0
    for (const { routeUrl, silence } of this.#registry.connections) {
      if (!routes.has(routeUrl)) continue
      there++
      if (silence !== undefined && silenceOf(silence, silent) > from) outliving++
    }
    return outliving > there / 10
  }

  #gone(route: string, answer: Answer): void {
    const now = this.#clock.now()
    const counts = this.#mute.gone(now, route, answer)
    if (counts === undefined) return
    const { count } = counts
    const answered = counts.answered + this.#answeringOn(route)
    if (!isNobody({ ...counts, answered })) return
    this.#mute.told(route, now)
    const report = { route, count, answered, since: wallAt(this.#clock, counts.since) }
    logSafely(this.#app.log, LOG_LINES.mutePeers, report)
    const told = CHANNELS['diagnosis.mute-peers']
    if (told.hasSubscribers) told.publish({ app: this.#app, ...report })
  }

  /** How many of those who are connected have answered a ping. */
  #answeringOn(route: string): number {
    let answering = 0
    for (const { face, routeUrl } of this.#registry.connections)
      if (routeUrl === route && face.latency !== undefined) answering++
    return answering
  }
}
