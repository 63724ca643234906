import type { FastifyInstance } from 'fastify'
import type { CloseCause } from '../core/close/policy.js'
import { runnerOf } from '../platform/traced.js'
import type { Clock } from '../time/clock.js'
import {
  CHANNELS,
  type ConnectionEvent,
  type LifecycleEvents,
  type LiveConnectionEvent,
  type UpgradeEvent,
} from './events.js'
import { Histories } from './histories.js'
import type { ConnectionSubject, RecordedSubject, Subject, UpgradeSubject } from './subjects.js'

/**
 * The facts that nobody counts or logs: they are only told to those who listen, and noted in the history of a
 * connection if it has one. The other ones are in {@link Facts}. Without a listener nothing is made, also no
 * `id`.
 */
export abstract class Publisher {
  protected readonly app: FastifyInstance
  readonly histories: Histories

  constructor(app: FastifyInstance, clock: Clock) {
    this.app = app
    this.histories = new Histories(clock)
  }

  /** An upgrade is over, and nobody has answered. */
  upgradeLost(upgrade: UpgradeSubject): void {
    const lost = CHANNELS['upgrade.lost']
    if (lost.hasSubscribers) lost.publish({ ...this.aboutUpgrade(upgrade), route: upgrade.pattern })
  }

  /** The end of a connection has begun. */
  connectionClosing(connection: ConnectionSubject, cause: CloseCause | undefined): void {
    this.histories.note(connection, 'closing')
    const closing = CHANNELS['connection.closing']
    if (!closing.hasSubscribers) return
    const event = { ...this.aboutLive(connection), cause }
    closing.publish(event)
    connection.context.runBy(runnerOf(event))
  }

  readingPaused(subject: RecordedSubject, by: LifecycleEvents['reading.paused']['by']): void {
    // An app that pauses does what it wants. A full inbox is a sign.
    if (by === 'inbox') this.histories.begin(subject, 'paused')
    else this.histories.note(subject, 'paused')
    const paused = CHANNELS['reading.paused']
    if (paused.hasSubscribers) paused.publish({ ...this.about(subject), by })
  }

  /** @param duration how long we did not read, in ms */
  readingResumed(subject: RecordedSubject, duration: number): void {
    this.histories.note(subject, 'resumed')
    const resumed = CHANNELS['reading.resumed']
    if (resumed.hasSubscribers) resumed.publish({ ...this.about(subject), duration })
  }

  /** The peer has taken none of so many bytes for too long. */
  outboxStuck(subject: RecordedSubject, bytes: number): void {
    this.histories.begin(subject, 'stuck')
    const stuck = CHANNELS['outbox.stuck']
    if (stuck.hasSubscribers) stuck.publish({ ...this.about(subject), bytes })
  }

  /** @param isAgain whether the ping before was not answered */
  peerPinged(subject: RecordedSubject, isAgain: boolean): void {
    if (isAgain) this.histories.begin(subject, 'pinged')
    else this.histories.note(subject, 'pinged')
    const pinged = CHANNELS['peer.pinged']
    if (pinged.hasSubscribers) pinged.publish(this.about(subject))
  }

  /** @param latency in ms */
  peerPonged(subject: RecordedSubject, latency: number): void {
    this.histories.note(subject, 'ponged')
    const ponged = CHANNELS['peer.ponged']
    if (ponged.hasSubscribers) ponged.publish({ ...this.about(subject), latency })
  }

  /**
   * The peer has not answered in time.
   * @param pingedAt when the last ping was sent, by the clock
   */
  peerSuspected(subject: RecordedSubject, pingedAt: number): void {
    this.histories.beginWith(subject, 'pinged', pingedAt)
    this.histories.note(subject, 'suspected')
  }

  /** What would have ended a connection with this cause was gone at the second look. */
  verdictAverted(subject: RecordedSubject, cause: CloseCause): void {
    this.histories.begin(subject, 'averted')
    const averted = CHANNELS['verdict.averted']
    if (averted.hasSubscribers) averted.publish({ ...this.about(subject), cause })
  }

  aboutUpgrade({ id, message: request }: UpgradeSubject): UpgradeEvent {
    return { app: this.app, id, request }
  }

  about(subject: Subject | UpgradeSubject): ConnectionEvent {
    return { app: this.app, id: subject.id, route: routeToTell(subject) }
  }

  aboutLive({ id, routeUrl: route, face: connection }: ConnectionSubject): LiveConnectionEvent {
    return { app: this.app, id, route, connection }
  }
}

/** Of an upgrade, `routeUrl` may be its path, for the log. Nobody else is told of a path. */
export function routeToTell(subject: Subject | UpgradeSubject): string {
  return 'pattern' in subject ? (subject.pattern ?? '') : subject.routeUrl
}
