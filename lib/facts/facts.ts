import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { DrainReport, LifecycleStats, RefusalReason } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { LifecycleSocket } from '../api/socket.js'
import { type CloseInfo, closeLogLevel } from '../core/close/info.js'
import type { Clock } from '../time/clock.js'
import { CallTimer } from './call-timer.js'
import { Counters } from './counters.js'
import { Diagnosis } from './diagnosis.js'
import { EndSteps } from './end-steps.js'
import { CHANNELS, type LifecycleEvents } from './events.js'
import { closeCodeReplaced, connectionEnded, LOG_LINES, type LogLine } from './log-lines.js'
import { logSafely } from './log.js'
import { LoopWatch } from './loop-watch.js'
import { Publisher } from './publisher.js'
import { RefusalLog } from './refusal-log.js'
import { type LiveConnection, type PendingUpgrade, Registry } from './registry.js'
import type {
  ConnectionSubject,
  RecordedSubject,
  Subject,
  TransportSubject,
  UpgradeSubject,
} from './subjects.js'
import type { Traffic } from './traffic.js'

/** A step of an end that took longer than its time. */
export type AbandonedStep = DrainReport['abandoned'][number]

/** A connection or session that has just opened. */
interface Opened extends LiveConnection, ConnectionSubject {
  readonly settings: { readonly history: boolean }
  readonly request: FastifyRequest
}

/**
 * All facts that can happen, with one method for each. It decides what is counted, logged and told; the caller
 * does not know who listens. There is one for each server. Nothing here is called for each message that is
 * handled.
 */
export class Facts extends Publisher {
  readonly registry: Registry = new Registry()
  readonly loop: LoopWatch
  /** Whoever calls `onMessage` has to ask it. */
  readonly callTimer: CallTimer
  readonly steps: EndSteps
  readonly #counters = new Counters()
  readonly #refusals: RefusalLog
  readonly #diagnosis: Diagnosis
  readonly #abandoned: AbandonedStep[] = []
  #isDraining = false
  #arrivals = 0

  constructor(app: FastifyInstance, clock: Clock) {
    super(app, clock)
    this.#refusals = new RefusalLog(clock)
    this.callTimer = new CallTimer(clock)
    this.steps = new EndSteps(clock)
    this.loop = new LoopWatch(app, clock, this.registry)
    this.#diagnosis = new Diagnosis(app, clock, this.registry)
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
    return this.#counters.stats()
  }

  /** What has gone over the connections of each route, and what waits there now. It looks at each of them. */
  traffic(): Map<string, Traffic> {
    return this.#counters.traffic(this.registry.connections)
  }

  /** There is a route for WebSockets: it has counts, also before its first upgrade. */
  routeDeclared(route: string): void {
    this.#counters.declare(route)
  }

  /** @returns the number of this upgrade in the order of upgrade requests */
  upgradeArrived(upgrade: PendingUpgrade & UpgradeSubject): number {
    this.registry.upgrades.add(upgrade)
    const started = CHANNELS['upgrade.started']
    if (started.hasSubscribers) started.publish(this.aboutUpgrade(upgrade))
    return ++this.#arrivals
  }

  upgradeRefused(upgrade: UpgradeSubject, reason: RefusalReason, why: string): void {
    const { log, pattern: route, routeUrl } = upgrade
    this.#counters.refused(route, reason)
    this.#refusals.tell(log, reason, route, { route: routeUrl, why })
    const refused = CHANNELS['upgrade.refused']
    if (refused.hasSubscribers) refused.publish({ ...this.aboutUpgrade(upgrade), route, reason })
  }

  upgradeCallbackFailed(upgrade: Subject, step: string, err: Error): void {
    this.#callbackFailed(LOG_LINES.upgradeCallbackFailed, upgrade, step, err)
  }

  /** The upgrade became a connection, or is over. */
  upgradeEnded(upgrade: PendingUpgrade): void {
    this.registry.upgrades.delete(upgrade)
  }

  connectionOpened(connection: Opened & { readonly socket: LifecycleSocket }): void {
    this.registry.add(connection)
    this.#opened(connection)
  }

  sessionOpened(session: Opened & { readonly face: LifecycleSession }): void {
    this.#counters.sessions.connected++
    this.registry.addSession(session)
    this.#opened(session)
  }

  /** The connection of a session was lost; the session waits for its client. */
  sessionSuspended(session: RecordedSubject, close: CloseInfo): void {
    this.histories.begin(session, 'suspended')
    const { id, log, routeUrl: route } = session
    const { sessions } = this.#counters
    sessions.connected--
    sessions.suspended++
    const { cause, code } = close
    this.#diagnosis.ended(route, close)
    logSafely(log, LOG_LINES.sessionSuspended, { id, route, cause, code })
    const interrupted = CHANNELS['session.interrupted']
    if (interrupted.hasSubscribers) interrupted.publish({ ...this.about(session), close })
  }

  /**
   * @param request has brought the client back
   * @param wasInterrupted `false` if the new connection has replaced one that was still there
   */
  sessionResumed(session: RecordedSubject, request: FastifyRequest, wasInterrupted: boolean): void {
    this.histories.begin(session, 'returned')
    const { id, log, routeUrl: route } = session
    const { sessions } = this.#counters
    sessions.resumed++
    if (wasInterrupted) {
      sessions.suspended--
      sessions.connected++
    }
    logSafely(log, LOG_LINES.sessionResumed, { id, route })
    const resumed = CHANNELS['session.resumed']
    if (resumed.hasSubscribers) resumed.publish({ ...this.about(session), request, wasInterrupted })
  }

  /** The window of a suspended session is over. */
  sessionExpired(): void {
    this.#counters.sessions.expired++
  }

  /** A suspended session has to end because its place, or its memory, is needed. */
  sessionDisplaced(): void {
    this.#counters.sessions.displaced++
  }

  /** A client has asked for its session, and does not get it. */
  sessionReset(route: string, reason: LifecycleEvents['session.reset']['reason']): void {
    if (reason !== 'unknown') this.#counters.sessions.stale++
    const reset = CHANNELS['session.reset']
    if (reset.hasSubscribers) reset.publish({ app: this.app, route, reason })
  }

  /** A session has ended; hooks and releases follow. */
  sessionClosed(session: ConnectionSubject, close: CloseInfo, wasSuspended: boolean): void {
    const { sessions } = this.#counters
    if (wasSuspended) sessions.suspended--
    else sessions.connected--
    this.connectionClosed(session, close)
  }

  /** The transport of a connection is gone; hooks and releases follow. */
  connectionClosed(connection: ConnectionSubject, close: CloseInfo): void {
    const { id, log, routeUrl: route } = connection
    const { cause, code, initiator, clean, expected, duration } = close
    this.#counters.closed(route, close)
    this.steps.expect(id)
    this.#diagnosis.ended(route, close)
    const line = connectionEnded(this.#diagnosis.isStormy ? 'debug' : closeLogLevel(close))
    logSafely(log, line, { id, route, cause, code, initiator, clean, expected, duration })
    const { history } = close
    if (history !== undefined) {
      const facts = history.map(({ at, fact }) => `${at} ${fact}`).join(', ')
      logSafely(log, LOG_LINES.connectionHistory, { id, route, history: facts })
    }
    const closed = CHANNELS['connection.closed']
    if (closed.hasSubscribers) closed.publish({ ...this.aboutLive(connection), close })
  }

  /**
   * The transport of a connection is gone, also if its session goes on. Not for a transport that we have ended
   * because its client has another one.
   */
  transportGone(transport: TransportSubject, close: CloseInfo): void {
    this.#diagnosis.transportGone(transport, close)
  }

  /** The last release of a connection has run. */
  connectionReleased(connection: LiveConnection & ConnectionSubject): void {
    this.registry.delete(connection)
    this.#counters.released(connection.routeUrl)
    const released = CHANNELS['connection.released']
    const steps = this.steps.take(connection)
    if (released.hasSubscribers) released.publish({ ...this.aboutLive(connection), steps })
  }

  /** Messages were dropped: received and not handled, or given to `send()` and not sent. */
  messagesDropped(
    subject: RecordedSubject,
    direction: LifecycleEvents['messages.dropped']['direction'],
    count = 1,
  ): void {
    if (count === 0) return
    this.histories.note(subject, 'dropped')
    this.#counters.dropped(subject.routeUrl, count)
    const dropped = CHANNELS['messages.dropped']
    if (dropped.hasSubscribers) dropped.publish({ ...this.about(subject), count, direction })
  }

  callbackFailed(subject: RecordedSubject, step: string, err: Error): void {
    this.histories.begin(subject, 'failed')
    this.#callbackFailed(LOG_LINES.callbackFailed, subject, step, err)
  }

  stepOverran(subject: Subject | UpgradeSubject, step: string): void {
    const { id, log, routeUrl: route } = subject
    const abandoned = { id, route, step }
    this.#counters.abandoned(this.about(subject).route)
    if (this.#isDraining) this.#abandoned.push(abandoned)
    logSafely(log, LOG_LINES.stepOverran, abandoned)
    const overran = CHANNELS['step.overran']
    if (overran.hasSubscribers) overran.publish({ ...this.about(subject), step })
  }

  /** A step that was left behind has failed later. */
  leftStepFailed(subject: Subject, step: string, err: Error): void {
    this.#callbackFailed(LOG_LINES.leftStepFailed, subject, step, err)
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
    const begun = CHANNELS['drain.begun']
    if (!begun.hasSubscribers) return
    begun.publish({ app: this.app, connections: this.registry.connections.size })
  }

  drainEnded(log: FastifyBaseLogger, report: DrainReport): void {
    this.#diagnosis.stop()
    logSafely(log, LOG_LINES.drainEnded, { ...report, abandoned: report.abandoned.length })
    const ended = CHANNELS['drain.ended']
    if (ended.hasSubscribers) ended.publish({ app: this.app, report })
  }

  #opened(connection: Opened): void {
    this.#counters.opened(connection.routeUrl)
    if (connection.settings.history) this.histories.begin(connection, 'opened')
    const opened = CHANNELS['connection.opened']
    if (!opened.hasSubscribers) return
    opened.publish({ ...this.aboutLive(connection), request: connection.request })
  }

  #callbackFailed(line: LogLine, subject: Subject, step: string, err: Error): void {
    const { id, log, routeUrl: route } = subject
    const { text } = line
    const level = this.#diagnosis.drownsErrors ? 'debug' : line.level
    logSafely(log, { level, text }, { err, id, route, step })
    const failed = CHANNELS['callback.failed']
    if (failed.hasSubscribers) failed.publish({ ...this.about(subject), step, error: err })
  }
}
