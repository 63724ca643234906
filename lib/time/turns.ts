import { startForAll } from '../platform/context.js'
import { nextTick } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'

/** Holds messages back until the turn of the loop is over. */
export interface Holder {
  turnOver(): void
}

const SETTLED = Promise.resolve()

/**
 * Numbers the turns of the event loop for all connections of a server, and tells when a turn is over. That
 * takes one tick, and only if somebody asks.
 */
export class Turns {
  #turn = 0
  #isEnding = false
  #lingers = false
  readonly #holders: Holder[] = []
  readonly #tick = (): void => nextTick(turnOnEnd, this)

  /** The number of this turn. No two turns have the same number. */
  thisTurn(): number {
    this.#beginEnd()
    return this.#turn
  }

  /** Calls `holder.turnOver()` when this turn is over. */
  hold(holder: Holder): void {
    this.#holders.push(holder)
    this.#beginEnd()
  }

  /**
   * Makes this turn last until its promises have settled. Used where a message waits until the one before it
   * is handled.
   */
  linger(): void {
    this.#lingers = true
    this.#beginEnd()
  }

  end(): void {
    if (this.#lingers) {
      this.#lingers = false
      // nextTick callbacks run first, then every promise callback. So one promise callback and one tick later
      // all promises of this turn have settled.
      void SETTLED.then(this.#tick)
      return
    }
    this.#isEnding = false
    this.#turn++
    forEachAlone(this.#holders, tellTurnOver)
    this.#holders.length = 0
  }

  #beginEnd(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    startForAll(this.#tick)
  }
}

function tellTurnOver(holder: Holder): void {
  holder.turnOver()
}

function turnOnEnd(turns: Turns): void {
  turns.end()
}
