import type { FastifyBaseLogger } from 'fastify'
import type { DurableRecord } from '../api/cluster.js'
import type { DurableRoute } from '../cluster/cluster.js'
import { Pace } from '../core/cluster/pace.js'
import { Retries, type Tried } from '../core/cluster/retries.js'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { startForAll } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import { toError } from '../platform/thrown.js'
import type { Clock, Timer } from '../time/clock.js'
import { attempt, type Attempt, type Settled } from './attempt.js'

/** A record whose release has to succeed once. */
export interface Cleanup extends Tried {
  readonly route: DurableRoute
  readonly record: DurableRecord
  /** Asked right before each try. If it answers no, the cleanup is forgotten. */
  isWanted(): boolean
  /** Its release has succeeded, or is given up. May be called twice; never rejects. */
  forget(): Promise<void>
}

/** How much of the app's resources cleanups may take. */
export interface CleanupLimits {
  /** How many releases run at once. */
  readonly concurrency: number
  /** How many begin in a second. */
  readonly rate: number
}

/** Why a try that has taken too long counts as failed. */
function overran({ url, cleanupTimeout }: DurableRoute): Error {
  return new Error(
    `Expected \`cluster.durable.release\` of ${url} to settle within ${cleanupTimeout} ms (its cleanupTimeout)`,
  )
}

/** Runs releases of records in nobody's async context: with a bounded pace, and again if they fail. */
export class Cleanups {
  readonly #clock: Clock
  readonly #log: FastifyBaseLogger
  readonly #concurrency: number
  readonly #pace: Pace
  readonly #waiting = new Retries<Cleanup>()
  #running = 0
  #timer: Timer | undefined
  #begun: Deferred<void> | undefined
  #stopped: Deferred<void> | undefined

  constructor(clock: Clock, log: FastifyBaseLogger, { concurrency, rate }: CleanupLimits) {
    this.#clock = clock
    this.#log = log
    this.#concurrency = concurrency
    this.#pace = new Pace(rate)
  }

  /** Runs it as soon as it has its turn. */
  add(cleanup: Cleanup): void {
    if (this.#stopped !== undefined) return
    this.#waiting.add(cleanup, this.#clock.now())
    this.#startSome()
  }

  /**
   * Tries it for the first time, at once and in the async context in which we are. If that fails, it is tried again
   * like others.
   * @returns what has become of this try, also if that comes late
   */
  tryHere(cleanup: Cleanup): Promise<Settled> {
    const tried = this.#try(cleanup)
    void this.#judge(cleanup, tried)
    return tried.settled
  }

  /** Forgets at once what is not wanted any more. */
  forgetUnwanted(): void {
    this.#waiting.keep((cleanup) => cleanup.isWanted())
    this.#startSome()
  }

  /** Resolves when all that were added have had a first try, or are forgotten. */
  allBegun(): Promise<void> {
    if (this.#waiting.fresh === 0) return Promise.resolve()
    this.#begun ??= new Deferred()
    return this.#begun.promise
  }

  /** Begins nothing more, and forgets what waits. Resolves when none has its place any more. */
  stop(): Promise<void> {
    this.#stopped ??= new Deferred()
    this.#waiting.keep(() => false)
    this.#startSome()
    return this.#stopped.promise
  }

  #startSome(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#running < this.#concurrency) {
      const now = this.#clock.now()
      const wait = Math.max(this.#waiting.dueAt, this.#pace.freeAt) - now
      if (wait > 0) {
        if (wait < Infinity) this.#startLater(wait)
        break
      }
      const cleanup = this.#waiting.take(now)
      if (cleanup?.isWanted()) this.#start(cleanup, now)
    }
    if (this.#running === 0) this.#stopped?.resolve()
    if (this.#waiting.fresh > 0) return
    this.#begun?.resolve()
    this.#begun = undefined
  }

  #startLater(wait: number): void {
    this.#timer = startForAll(() => this.#clock.setTimeout(() => this.#startSome(), wait))
    this.#timer.unref()
  }

  #start(cleanup: Cleanup, now: number): void {
    this.#pace.took(now)
    this.#running++
    const tried = startForAll(() => this.#try(cleanup))
    void this.#judge(cleanup, tried).then(() => {
      this.#running--
      this.#startSome()
    })
  }

  #try({ route, record }: Cleanup): Attempt {
    const { instance, settings, cleanupTimeout } = route
    const release = (): unknown => settings.release.call(instance, record)
    return attempt(release, cleanupTimeout, this.#clock)
  }

  async #judge(cleanup: Cleanup, { settled, inTime }: Attempt): Promise<void> {
    const outcome = await inTime
    if (outcome?.status === 'done') return cleanup.forget()
    await this.#failed(cleanup, outcome === undefined ? overran(cleanup.route) : outcome.error)
    if (outcome !== undefined) return
    // It goes on, but holds up nobody. If it succeeds before the next try, there is none.
    void settled.then((late) => (late.status === 'done' ? cleanup.forget() : undefined))
  }

  async #failed(cleanup: Cleanup, error: unknown): Promise<void> {
    if (this.#stopped !== undefined || !cleanup.isWanted()) return
    const { record, route } = cleanup
    const about = { id: record.id, node: record.node, route: route.url, err: toError(error) }
    // The first failure of a connection of this node has been told as that of a step of its end.
    const isNews = cleanup.failures === 0 && record.survivor
    if (isNews) logSafely(this.#log, LOG_LINES.durableReleaseFailed, about)
    if (this.#waiting.failed(cleanup, this.#clock.now())) return this.#startSome()
    logSafely(this.#log, LOG_LINES.durableReleaseGivenUp, about)
    await cleanup.forget()
  }
}
