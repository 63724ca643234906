import { handlerKeepsMessages } from '../facts/log-lines.js'
import type { Subject } from '../facts/subjects.js'
import type { Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'

/** What `HandlerWait` needs of its connection. */
export interface HandlerWaitOwner {
  readonly log: Subject['log']
  readonly shared: { readonly clock: Clock }
  /** Asks for a look by then, if none is due before. */
  lookBy(at: number): void
}

/**
 * Measures how long messages have waited for the route's handler to settle. If it is too long, a warning is
 * logged, once for each route.
 */
export class HandlerWait {
  readonly #owner: HandlerWaitOwner
  readonly #route: Route
  #since = Infinity

  constructor(owner: HandlerWaitOwner, route: Route) {
    this.#owner = owner
    this.#route = route
  }

  /** A message waits for the handler, maybe behind others. */
  begin(): void {
    if (this.#since !== Infinity) return
    this.#since = this.#owner.shared.clock.now()
    this.#owner.lookBy(this.#since + this.#route.settings.cleanupTimeout)
  }

  /** No message waits for the handler any more. */
  end(): void {
    this.#since = Infinity
  }

  /**
   * Warns if messages have waited too long.
   * @returns how long until the next look, in ms
   */
  warnWhenLong(now: number): number {
    const { cleanupTimeout } = this.#route.settings
    const remaining = this.#since + cleanupTimeout - now
    if (remaining > 0) return remaining
    this.#since = Infinity
    this.#route.logOnce(this.#owner.log, handlerKeepsMessages(cleanupTimeout))
    return Infinity
  }
}
