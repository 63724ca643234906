import type { FastifyInstance } from 'fastify'
import type { CloseInfo } from '../core/close/info.js'
import { Storm, STORM_WINDOW, type StormPhase, type StormSummary } from '../core/diagnosis/storm.js'
import { startForAll } from '../platform/context.js'
import type { Clock, Timer } from '../time/clock.js'
import { CHANNELS } from './events.js'
import { LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'
import { byFrequency, namedInLine, wallAt } from './reports.js'

const LINES = {
  begun: LOG_LINES.stormBegun,
  lasting: LOG_LINES.stormLasting,
  over: LOG_LINES.stormOver,
} as const

/** Tells of a storm of unexpected ends as one, in place of a line for each end. */
export class StormLog {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly #storm = new Storm()
  /** The storm that lasts, and the timer of the next look at it. There is no timer without a storm. */
  #lasting: { readonly summary: StormSummary; readonly timer: Timer } | undefined

  constructor(app: FastifyInstance, clock: Clock) {
    this.#app = app
    this.#clock = clock
  }

  get isStormy(): boolean {
    return this.#lasting !== undefined
  }

  /** A connection has ended, or the connection of a session was lost. */
  ended(route: string, { cause, expected }: CloseInfo): void {
    if (expected) return
    const begun = this.#storm.ended({ at: this.#clock.now(), cause, route })
    if (begun === undefined) return
    this.#tell('begun', begun)
    this.#lookLater(begun)
  }

  /** The storm is over, if there is one: it is calm, or the server has shut down. */
  stop(): void {
    if (this.#lasting === undefined) return
    const { summary, timer } = this.#lasting
    this.#clock.clearTimeout(timer)
    this.#storm.stop()
    this.#lasting = undefined
    this.#tell('over', summary)
  }

  #lookLater(summary: StormSummary): void {
    const look = (): void => this.#look(summary)
    const timer = startForAll(() => this.#clock.setTimeout(look, STORM_WINDOW))
    timer.unref()
    this.#lasting = { summary, timer }
  }

  #look(summary: StormSummary): void {
    const phase = this.#storm.look(this.#clock.now())
    if (phase === 'over') return this.stop()
    if (phase === 'lasting') this.#tell(phase, summary)
    this.#lookLater(summary)
  }

  #tell(phase: StormPhase, summary: StormSummary): void {
    const { count } = summary
    const causes = byFrequency(summary.causes)
    const routes = byFrequency(summary.routes)
    const first = wallAt(this.#clock, summary.first)
    const last = wallAt(this.#clock, summary.last)
    const report = { phase, count, causes, first, last }
    logSafely(this.#app.log, LINES[phase], { ...report, routes: namedInLine(routes) })
    const storm = CHANNELS['diagnosis.storm']
    if (storm.hasSubscribers) storm.publish({ app: this.#app, ...report, routes })
  }
}
