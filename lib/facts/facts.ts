import type { FastifyBaseLogger } from 'fastify'
import type { DrainReport, LifecycleStats, RefusalReason } from '../api/lifecycle.js'
import { type CloseInfo, closeLogLevel } from '../core/close/info.js'
import type { Clock } from '../time/clock.js'
import { Counters } from './counters.js'
import { closeCodeReplaced, connectionEnded, LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'
import { RefusalLog } from './refusal-log.js'
import { type LiveConnection, type PendingUpgrade, Registry } from './registry.js'

/** The connection or upgrade that a fact is about. */
export interface Subject {
  readonly id: string
  readonly log: FastifyBaseLogger
  readonly routeUrl: string
}

/** A step of an end that took longer than its time. */
export type AbandonedStep = DrainReport['abandoned'][number]

/**
 * All facts that can happen, with one method for each. It decides what is counted and logged; the caller does
 * not know who listens. There is one for each server. Nothing here is called for each message that is
 * handled.
 */
export class Facts {
  readonly registry: Registry = new Registry()
  readonly #counters = new Counters()
  readonly #refusals: RefusalLog
  readonly #abandoned: AbandonedStep[] = []
  #isDraining = false
  #arrivals = 0

  constructor(clock: Clock) {
    this.#refusals = new RefusalLog(clock)
  }

  /** Whether the drain has begun. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** The steps that were left behind since the drain began. */
  get abandoned(): readonly AbandonedStep[] {
    return this.#abandoned
  }

  stats(): LifecycleStats {
    return this.#counters.stats(this.registry.connections.size)
  }

  /** @returns the number of this upgrade in the order of upgrade requests */
  upgradeArrived(upgrade: PendingUpgrade): number {
    this.registry.upgrades.add(upgrade)
    return ++this.#arrivals
  }

  /** @param url URL pattern of a route, `undefined` if the path belongs to none */
  upgradeRefused(
    log: FastifyBaseLogger,
    reason: RefusalReason,
    url: string | undefined,
    about: object,
  ): void {
    this.#counters.refused[reason]++
    this.#refusals.tell(log, reason, url, about)
  }

  upgradeCallbackFailed({ id, log, routeUrl: route }: Subject, step: string, err: Error): void {
    logSafely(log, LOG_LINES.upgradeCallbackFailed, { err, id, route, step })
  }

  /** The upgrade became a connection, or is over. */
  upgradeEnded(upgrade: PendingUpgrade): void {
    this.registry.upgrades.delete(upgrade)
  }

  connectionOpened(connection: LiveConnection): void {
    this.#counters.opened++
    this.registry.add(connection)
  }

  /** The transport of a connection is gone; hooks and releases follow. */
  connectionClosed({ id, log, routeUrl: route }: Subject, close: CloseInfo): void {
    const { cause, code, initiator, clean, expected, duration } = close
    this.#counters.closed[cause]++
    const line = connectionEnded(closeLogLevel(close))
    logSafely(log, line, { id, route, cause, code, initiator, clean, expected, duration })
  }

  /** The last release of a connection has run. */
  connectionReleased(connection: LiveConnection): void {
    this.registry.delete(connection)
  }

  /** Messages were dropped: received and not handled, or given to `send()` and not sent. */
  messagesDropped(count: number): void {
    this.#counters.dropped += count
  }

  callbackFailed({ id, log, routeUrl: route }: Subject, step: string, err: Error): void {
    logSafely(log, LOG_LINES.callbackFailed, { err, id, route, step })
  }

  stepOverran({ id, log, routeUrl: route }: Subject, step: string): void {
    const abandoned = { id, route, step }
    this.#counters.abandoned++
    if (this.#isDraining) this.#abandoned.push(abandoned)
    logSafely(log, LOG_LINES.stepOverran, abandoned)
  }

  /** A step that was left behind has failed later. */
  leftStepFailed({ id, log, routeUrl: route }: Subject, step: string, err: Error): void {
    logSafely(log, LOG_LINES.leftStepFailed, { id, route, step, err })
  }

  /** @param code the code that `close()` got, in a form that may be shown */
  closeCodeReplaced(
    { id, log, routeUrl: route }: Subject,
    code: string | number,
    sent: number,
  ): void {
    logSafely(log, closeCodeReplaced(sent), { id, route, code })
  }

  drainBegan(): void {
    this.#isDraining = true
  }

  drainEnded(log: FastifyBaseLogger, report: DrainReport): void {
    logSafely(log, LOG_LINES.drainEnded, { ...report, abandoned: report.abandoned.length })
  }
}
