import type { FastifyBaseLogger } from 'fastify'
import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { startForAll } from '../platform/context.js'
import { toError } from '../platform/thrown.js'
import type { Clock, Timer } from '../time/clock.js'
import type { Dialect, Line, LineEvents } from './client.js'

/** How often we look whether we still hear, in ms. */
const LISTEN_EVERY = 10_000

/** How many messages to ourselves may be missed. */
const MOST_UNHEARD = 1

/** A message to ourselves. No other one is like it. */
const CALL = '\0'

/**
 * Hears channels over one connection of its own, also after that was lost. Nothing else is sent on it: a proxy or a
 * firewall that drops it may tell nobody, and a client may go on to wait for a Redis that is no longer the right one.
 * So it calls itself from time to time, over the other connection, and opens another line if it does not hear that.
 */
export class Subscriber implements LineEvents {
  readonly #listeners = new Map<string, (message: string) => void>()
  readonly #dialect: Dialect
  readonly #clock: Clock
  readonly #log: FastifyBaseLogger
  #line: Line
  #listening: Timer | undefined
  #isFailing = false
  /** How many calls Redis has taken since the last one that was heard. */
  #unheard = 0

  constructor(dialect: Dialect, clock: Clock, log: FastifyBaseLogger) {
    this.#dialect = dialect
    this.#clock = clock
    this.#log = log
    this.#line = dialect.openLine(this)
  }

  /** Resolves when Redis has confirmed it. If that fails, it is asked for again with the next connection. */
  async subscribe(channel: string, heard: (message: string) => void): Promise<void> {
    this.#listeners.set(channel, heard)
    if (this.#listening === undefined) {
      this.#listening = startForAll(() =>
        this.#clock.setInterval(() => void this.#listen(), LISTEN_EVERY),
      )
      this.#listening.unref()
    }
    await this.#line.subscribe(channel)
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#listeners.delete(channel)
    await this.#line.unsubscribe(channel)
  }

  close(): void {
    if (this.#listening !== undefined) this.#clock.clearInterval(this.#listening)
    this.#listeners.clear()
    this.#line.close()
  }

  readonly ready = (): void => {
    this.#isFailing = false
    // Clients do so too, but only for what Redis had confirmed, and only if the app's options let them.
    for (const channel of this.#listeners.keys()) {
      this.#line.subscribe(channel).catch(this.failed)
    }
  }

  readonly heard = (channel: string, message: string): void => {
    if (message === CALL) this.#unheard = 0
    else this.#listeners.get(channel)?.(message)
  }

  readonly failed = (error: unknown): void => {
    // A client calls this with each try.
    if (this.#isFailing) return
    this.#isFailing = true
    logSafely(this.#log, LOG_LINES.clusterDeaf, { err: toError(error) })
  }

  async #listen(): Promise<void> {
    if (this.#unheard > MOST_UNHEARD) this.#openAnother()
    const [channel] = this.#listeners.keys()
    if (channel === undefined) return
    try {
      await this.#dialect.send(['PUBLISH', channel, CALL], undefined)
      this.#unheard++
    } catch {
      // Who cannot call does not know whether it would have been heard.
    }
  }

  #openAnother(): void {
    this.#unheard = 0
    this.failed(new Error(`it has not heard ${MOST_UNHEARD + 1} messages to itself`))
    this.#line.close()
    this.#line = this.#dialect.openLine(this)
  }
}
