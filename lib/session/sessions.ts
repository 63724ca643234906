import { Away } from '../core/session/away.js'
import { type Grave, Graves } from '../core/session/graves.js'
import type { Facts } from '../facts/facts.js'
import type { Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'
import type { Session } from './session.js'

/** The sessions of one route that are away, and those that have ended. */
interface OfRoute {
  readonly away: Away<Session>
  readonly graves: Graves
}

/** The sessions of one server: those that a client can resume, by their tokens. */
export class Sessions {
  readonly #clock: Clock
  readonly #facts: Facts
  readonly #live = new Map<string, Session>()
  readonly #routes = new Map<Route, OfRoute>()

  constructor(clock: Clock, facts: Facts) {
    this.#clock = clock
    this.#facts = facts
  }

  find(token: string): Session | undefined {
    return this.#live.get(token)
  }

  /** @returns how a session has ended, or ends, for a client that has not heard of it */
  findGrave(route: Route, token: string): Grave | undefined {
    const dug = this.#routes.get(route)?.graves.find(token, this.#clock.now())
    if (dug !== undefined) return dug
    const session = this.#live.get(token)
    return session?.route === route ? session.epitaph : undefined
  }

  /** A client may resume it from now on. */
  add(session: Session): void {
    this.#live.set(session.token, session)
  }

  suspended(session: Session, kept: number): void {
    const { away } = this.#of(session)
    away.add(session, kept)
    this.#endSurplus(away)
  }

  /** More messages are kept for a session that is away. */
  grew(session: Session, bytes: number): void {
    const { away } = this.#of(session)
    away.grow(session, bytes)
    this.#endSurplus(away)
  }

  resumed(session: Session): void {
    this.#of(session).away.delete(session)
  }

  /** @param grave what a client is told that did not hear of the end */
  ended(session: Session, grave: Grave | undefined): void {
    this.#live.delete(session.token)
    const { away, graves } = this.#of(session)
    away.delete(session)
    // While the server drains, nobody can ask any more.
    if (grave === undefined || this.#facts.isDraining) return
    graves.dig(session.token, grave, this.#clock.now())
  }

  /** The server is closed. */
  clear(): void {
    this.#live.clear()
    this.#routes.clear()
  }

  #endSurplus(away: Away<Session>): void {
    for (let session = away.surplus; session !== undefined; session = away.surplus) {
      session.displace()
    }
  }

  #of({ resume, route }: Session): OfRoute {
    let ofRoute = this.#routes.get(route)
    if (ofRoute === undefined) {
      ofRoute = { away: new Away(resume.maxBytes), graves: new Graves(resume.window) }
      this.#routes.set(route, ofRoute)
    }
    return ofRoute
  }
}
