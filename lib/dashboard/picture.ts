import type { FastifyInstance } from 'fastify'
import { Listening } from '../facts/listening.js'
import type { Clock } from '../time/clock.js'
import { Ends } from './ends.js'
import type { RouteNow, Update } from './protocol.js'
import type { Rows } from './rows.js'
import { routesOf, Seconds } from './seconds.js'

/** How many looks take a second. */
const LOOKS_OF_A_SECOND = 4

const DRAINING = { draining: true } as const

/** What has changed in the picture. */
export type Changes = Omit<Update, 'type' | 'at'>

/** All that is known of one server while somebody looks. */
export class Picture {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly rows: Rows
  readonly ends: Ends = new Ends()
  readonly #seconds: Seconds
  readonly #listening: Listening
  #looks = 0
  #routes: readonly RouteNow[]
  #rest: Pick<Update, 'coming' | 'hidden' | 'draining'> = { coming: 0, hidden: 0 }

  constructor(app: FastifyInstance, clock: Clock, rows: Rows) {
    this.#app = app
    this.#clock = clock
    const stats = app.websocketLifecycle.stats()
    this.rows = rows
    this.#seconds = new Seconds(stats)
    this.#routes = routesOf(stats)
    this.#listening = new Listening(app)
    this.#listen(this.#listening)
  }

  get seconds(): Seconds['list'] {
    return this.#seconds.list
  }

  /** What a page gets beside the rows when it comes. */
  get whole(): Pick<Update, 'routes' | 'coming' | 'hidden' | 'draining'> {
    return { routes: this.#routes, ...this.#rest }
  }

  /** Nothing is heard any more. */
  stop(): void {
    this.#listening.stop()
  }

  /** @returns what has changed since it was asked before */
  look(seen: Iterator<string>): Changes {
    const { rows } = this
    const changes = rows.look(seen)
    const ends = this.ends.take()
    return {
      ...this.#lookAtCounts(),
      ...changes,
      ...(ends.length > 0 && { ends }),
      ...this.#lookAtRest(),
    }
  }

  /** After a stall a second has taken longer: it tells when it was over. */
  #lookAtCounts(): Pick<Update, 'second' | 'routes'> {
    if (++this.#looks % LOOKS_OF_A_SECOND !== 0) return {}
    const stats = this.#app.websocketLifecycle.stats()
    const second = this.#seconds.next(this.#clock.wall(), stats, this.rows)
    const routes = routesOf(stats)
    if (JSON.stringify(routes) === JSON.stringify(this.#routes)) return { second }
    this.#routes = routes
    return { second, routes }
  }

  #lookAtRest(): Pick<Update, 'coming' | 'hidden' | 'draining'> {
    const { coming, hidden } = this.rows
    const now = { coming, hidden, ...(this.#app.websocketLifecycle.draining && DRAINING) }
    const news = Object.entries(now).filter(
      ([name, value]) => Reflect.get(this.#rest, name) !== value,
    )
    this.#rest = now
    return Object.fromEntries(news)
  }

  #listen(listening: Listening): void {
    const { ends, rows } = this
    const seconds = this.#seconds
    listening.onEvent('connection.opened', ({ connection }) => {
      rows.add(connection)
      // A socket that is gone knows its address only if it was asked before.
      void connection.request.ip
    })
    listening.onEvent('connection.closed', (event) => ends.closed(event, this.#clock.wall()))
    listening.onEvent('connection.released', (event) => {
      ends.released(event)
      rows.delete(event.id)
    })
    listening.onEvent('peer.ponged', ({ latency }) => seconds.ponged(latency))
    listening.onEvent('loop.stalled', ({ lateness }) => seconds.stalled(lateness))
  }
}
