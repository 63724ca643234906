import type { FastifyBaseLogger } from 'fastify'
import type { DrainReport, LifecycleStats, RefusalReason } from '../api/lifecycle.js'
import { type CloseInfo, closeLogLevel } from '../core/close/info.js'
import type { Clock } from '../time/clock.js'
import { Counters } from './counters.js'
import { closeCodeReplaced, connectionEnded, LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'
import { RefusalLog } from './refusal-log.js'
import { type LiveConnection, type PendingUpgrade, Registry } from './registry.js'

/** Whom a fact is about. */
export interface Subject {
  readonly id: string
  readonly log: FastifyBaseLogger
  readonly routeUrl: string
}

/** A step of an end that overran its time. */
export type AbandonedStep = DrainReport['abandoned'][number]

/**
 * All that can happen, one method for each fact. What is counted or logged is decided here: whoever tells a
 * fact does not know who listens. One for each server; nothing here is called for each message that is handled.
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

  /** Steps that were left behind since the drain began. */
  get abandoned(): readonly AbandonedStep[] {
    return this.#abandoned
  }

  stats(): LifecycleStats {
    return this.#counters.stats(this.registry.connections.size)
  }

  /** @returns its number in the order of upgrade requests */
  upgradeArrived(upgrade: PendingUpgrade): number {
    this.registry.upgrades.add(upgrade)
    return ++this.#arrivals
  }

  /** @param url of a route, `undefined` where the path is none of a route's */
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

  /** It became a connection, or is over. */
  upgradeEnded(upgrade: PendingUpgrade): void {
    this.registry.upgrades.delete(upgrade)
  }

  connectionOpened(connection: LiveConnection): void {
    this.#counters.opened++
    this.registry.add(connection)
  }

  /** Its transport is gone; hooks and releases follow. */
  connectionClosed({ id, log, routeUrl: route }: Subject, close: CloseInfo): void {
    const { cause, code, initiator, clean, expected, duration } = close
    this.#counters.closed[cause]++
    const line = connectionEnded(closeLogLevel(close))
    logSafely(log, line, { id, route, cause, code, initiator, clean, expected, duration })
  }

  /** Its last release has run. */
  connectionReleased(connection: LiveConnection): void {
    this.registry.delete(connection)
  }

  /** Messages that were received and not handled, or given to `send()` and not sent. */
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

  /** A step that had been left behind has failed in the end. */
  leftStepFailed({ id, log, routeUrl: route }: Subject, step: string, err: Error): void {
    logSafely(log, LOG_LINES.leftStepFailed, { id, route, step, err })
  }

  /** @param code what `close()` got, as it may be shown */
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
