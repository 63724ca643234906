import type { FastifyBaseLogger } from 'fastify'
import type { RefusalReason } from '../api/lifecycle.js'
import type { Clock } from '../time/clock.js'
import { LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'

/** At most so many lines for one reason and route, in so many ms. */
const LINES = 10
const WINDOW = 10_000

interface Window {
  readonly endsAt: number
  lines: number
  unlogged: number
}

/** Logs refusals, but in a flood not each of them. `stats()` counts them all. */
export class RefusalLog {
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param url URL pattern of a route, `undefined` if the path belongs to none: strangers may send any number
   * of paths
   */
  tell(
    log: FastifyBaseLogger,
    reason: RefusalReason,
    url: string | undefined,
    about: object,
  ): void {
    const window = this.#windowOf(`${reason} ${url ?? ''}`)
    if (window.lines >= LINES) {
      window.unlogged++
      return
    }
    window.lines++
    const { unlogged } = window
    window.unlogged = 0
    const fields = { reason, ...about, ...(unlogged > 0 && { unlogged }) }
    logSafely(log, LOG_LINES.upgradeRefused, fields)
  }

  #windowOf(key: string): Window {
    const now = this.#clock.now()
    const last = this.#windows.get(key)
    if (last !== undefined && now < last.endsAt) return last
    const next = { endsAt: now + WINDOW, lines: 0, unlogged: last?.unlogged ?? 0 }
    this.#windows.set(key, next)
    return next
  }
}
