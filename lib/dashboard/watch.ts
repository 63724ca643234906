import type { FastifyInstance } from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import { Listening } from '../facts/listening.js'
import { startForAll } from '../platform/context.js'
import type { Clock, Timer } from '../time/clock.js'
import { MOST_ENDS } from './ends.js'
import { Nodes } from './nodes.js'
import { type Changes, Picture } from './picture.js'
import type { Hello, ToPage } from './protocol.js'
import { Reports } from './reports.js'
import { Rows } from './rows.js'
import { Viewer } from './viewer.js'

/** How often pages are told what has changed, in ms. */
const TICK = 250

const MOST_ROWS = 10_000

/** What there is only while somebody looks. */
interface Looking {
  readonly picture: Picture
  readonly timer: Timer
}

/** Who looks at one server, and what they are told. */
export class Watch {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly #listening: Listening
  readonly #reports: Reports
  readonly #nodes: Nodes
  readonly #startedAt: number
  readonly #viewers = new Map<object, Viewer>()
  #looking: Looking | undefined

  constructor(app: FastifyInstance, clock: Clock) {
    this.#app = app
    this.#clock = clock
    this.#startedAt = clock.wall()
    this.#listening = new Listening(app)
    this.#reports = new Reports(this.#listening, clock)
    this.#nodes = new Nodes(app, clock)
  }

  /** Somebody looks. */
  add(session: LifecycleSession): void {
    this.#looking ??= this.#begin()
    this.#viewers.set(session, new Viewer(this.#app, session, this.#looking.picture))
  }

  /** @param session of somebody who looks */
  viewerOf(session: LifecycleSession): Viewer {
    return this.#viewers.get(session) as Viewer
  }

  /** Somebody has gone. */
  delete(session: LifecycleSession): void {
    this.#viewers.delete(session)
    if (this.#viewers.size > 0) return
    const { picture, timer } = this.#looking as Looking
    this.#clock.clearInterval(timer)
    picture.stop()
    this.#looking = undefined
    this.#nodes.forget()
  }

  /** The server is over. */
  stop(): void {
    this.#listening.stop()
  }

  #begin(): Looking {
    const rows = new Rows(this.#app.websocketLifecycle, MOST_ROWS, (who) => this.#viewers.has(who))
    const picture = new Picture(this.#app, this.#clock, rows)
    const tick = (): void => this.#listening.isolate(() => this.#tell(picture))
    const timer = startForAll(() => this.#clock.setInterval(tick, TICK))
    timer.unref()
    return { picture, timer }
  }

  /** Tells the pages what has changed: the same text for all that need nothing of their own. */
  #tell(picture: Picture): void {
    const at = this.#clock.wall()
    const changes: Changes = {
      ...picture.look(this.#seen().values()),
      ...this.#reports.take(),
      ...this.#nodes.look(),
    }
    const hasChanged = Object.keys(changes).length > 0
    let text: string | undefined
    for (const viewer of this.#viewers.values()) {
      const own = this.#ownOf(viewer, changes, at)
      if (own !== undefined) for (const message of own) viewer.say(message)
      else if (hasChanged)
        viewer.sayText((text ??= JSON.stringify({ type: 'update', at, ...changes })))
    }
  }

  /** The rows that are seen on some page. */
  #seen(): Set<string> {
    const seen = new Set<string>()
    for (const viewer of this.#viewers.values()) for (const id of viewer.seen) seen.add(id)
    return seen
  }

  /** What only this page is told; `undefined` if it is told what all are. */
  #ownOf(viewer: Viewer, changes: Changes, at: number): ToPage[] | undefined {
    const { picture } = viewer
    if (!viewer.keepsUp()) return []
    if (viewer.isBehind) {
      viewer.begin()
      const whole = { ...picture.whole, ...this.#nodes.whole }
      return [this.#hello(picture, at), { type: 'update', at, ...whole, ...viewer.takeRows() }]
    }
    const live = viewer.takeDetails(changes.second !== undefined)
    const taken = viewer.takeRows()
    if (live === undefined && taken === undefined) return undefined
    const own: Changes = {
      ...(live && { live }),
      ...(taken && { ...taken, rows: [...(changes.rows ?? []), ...taken.rows] }),
    }
    return [{ type: 'update', at, ...changes, ...own }]
  }

  #hello({ ends, seconds }: Picture, at: number): Hello {
    return {
      type: 'hello',
      startedAt: this.#startedAt,
      at,
      node: this.#nodes.here,
      mostRows: MOST_ROWS,
      mostEnds: MOST_ENDS,
      seconds,
      ends: ends.rows,
      reports: this.#reports.list,
    }
  }
}
