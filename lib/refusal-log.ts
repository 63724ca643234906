import type { FastifyBaseLogger } from 'fastify'
import type { RefusalReason } from './api.js'
import type { Clock } from './clock.js'
import { tell } from './ending.js'

/** So many lines for one reason and route in so many ms. */
const LINES = 10
const WINDOW = 10_000

interface Window {
  endsAt: number
  lines: number
  unlogged: number
}

/** Tells the log of refusals, but not of each in a flood; `stats()` counts them all. */
export class RefusalLog {
  readonly #clock: Clock
  readonly #windows = new Map<string, Window>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param url of a route: the paths of strangers are their own, and as many as they like */
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
    tell(log, 'info', fields, 'WebSocket upgrade refused')
  }

  #windowOf(key: string): Window {
    const now = this.#clock.now()
    const window = this.#windows.get(key)
    if (window === undefined) {
      const first = { endsAt: now + WINDOW, lines: 0, unlogged: 0 }
      this.#windows.set(key, first)
      return first
    }
    if (now >= window.endsAt) {
      window.endsAt = now + WINDOW
      window.lines = 0
    }
    return window
  }
}
