import type { FastifyInstance } from 'fastify'
import { BlockingCalls } from '../core/diagnosis/blocking-call.js'
import type { RequestContext } from '../platform/context.js'
import type { Clock } from '../time/clock.js'
import { CHANNELS } from './events.js'
import { LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'
import { routeToTell } from './publisher.js'
import type { Registry } from './registry.js'
import type { RecordedSubject, Subject, UpgradeSubject } from './subjects.js'

/** Shorter stalls are not logged, in ms: they happen to every process. Events tell all of them. */
const LOGGED_FROM = 500

/** At most one line in so many ms. */
const LOGGED_EACH = 10_000

/** After a stall the calls for messages are timed for so many ms. */
const TIMED_FOR = 600_000

/**
 * Tells when our loop has stood still, and which function of the app has blocked it, if that is known.
 *
 * Handlers, hooks and releases are few, and all of them are timed. Messages are many: what is called for them
 * is timed only for a while after a stall. So it is named from the second stall on.
 */
export class LoopWatch {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly #registry: Registry
  readonly #calls = new BlockingCalls()
  #timesMessages = false
  #timesUntil = -Infinity
  #loggedAt = -Infinity
  #unlogged = 0

  constructor(app: FastifyInstance, clock: Clock, registry: Registry) {
    this.#app = app
    this.#clock = clock
    this.#registry = registry
  }

  /** Whether {@link time} is to be called for messages, too. */
  get timesMessages(): boolean {
    return this.#timesMessages
  }

  /** Calls a function of the app, or one that calls the app, and notes how long it has blocked the loop. */
  time<Result>(subject: Subject | UpgradeSubject, step: string, call: () => Result): Result {
    const from = this.#clock.now()
    try {
      return call()
    } finally {
      const until = this.#clock.now()
      if (BlockingCalls.isLong(from, until)) {
        this.#calls.note({ route: routeToTell(subject), step, from, until })
      }
      if (until > this.#timesUntil) this.#timesMessages = false
    }
  }

  /**
   * As `enterRead()` of the context. It has a closure, so it is apart from what is called for each read: V8 makes
   * an object for what a closure captures each time that the function around it is called.
   */
  enterRead(owner: RecordedSubject, ...read: Parameters<RequestContext['enterRead']>): void {
    this.time(owner, 'messages', () => owner.context.enterRead(...read))
  }

  /** As `enter()` of the context, for a message. */
  enter<Self, Args extends unknown[], Result>(
    owner: RecordedSubject,
    call: (this: Self, ...args: Args) => Result,
    self: Self,
    ...args: Args
  ): Result {
    return this.time(owner, 'messages', () => owner.context.enter(call, self, ...args))
  }

  /** Our loop has stood still for so many ms, until now. */
  stalled(lateness: number): void {
    const now = this.#clock.now()
    this.#timesMessages = true
    this.#timesUntil = now + TIMED_FOR
    const call = this.#calls.blame(now, lateness)
    const isLogged = this.#isLogged(now, lateness)
    const stalled = CHANNELS['loop.stalled']
    if (!isLogged && !stalled.hasSubscribers) return
    const postponed = this.#postponedBy(lateness)
    const during = call && { route: call.route, step: call.step, duration: call.until - call.from }
    if (isLogged) {
      const unlogged = this.#unlogged > 0 ? { unlogged: this.#unlogged } : undefined
      const blame = during && { ...during, duration: Math.round(during.duration) }
      const fields = { lateness: Math.round(lateness), postponed, ...blame, ...unlogged }
      logSafely(this.#app.log, LOG_LINES.loopStalled, fields)
      this.#unlogged = 0
    }
    if (stalled.hasSubscribers) stalled.publish({ app: this.#app, lateness, postponed, during })
  }

  #isLogged(now: number, lateness: number): boolean {
    if (lateness < LOGGED_FROM) return false
    if (now - this.#loggedAt < LOGGED_EACH) {
      this.#unlogged++
      return false
    }
    this.#loggedAt = now
    return true
  }

  #postponedBy(lateness: number): number {
    let postponed = 0
    for (const each of this.#registry.connections) if (each.isSparedBy(lateness)) postponed++
    return postponed
  }
}
