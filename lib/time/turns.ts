import { startForAll } from '../platform/context.js'
import { nextTick } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'

/** Who holds back what was sent until the turn of the loop is over. */
export interface Holder {
  turnOver(): void
}

const SETTLED = Promise.resolve()

/** Numbers the turns of the loop for all connections of a server, and tells when one is over: one tick, if somebody asks. */
export class Turns {
  #turn = 0
  #isEnding = false
  #lingers = false
  readonly #holders: Holder[] = []
  readonly #tick = (): void => nextTick(turnOnEnd, this)

  /** The number of this turn, which is never that of another. */
  thisTurn(): number {
    this.#beginEnd()
    return this.#turn
  }

  /** Tells `holder` when this turn is over. */
  hold(holder: Holder): void {
    this.#holders.push(holder)
    this.#beginEnd()
  }

  /** This turn is not over before its promises have settled: one message after the other is awaited. */
  linger(): void {
    this.#lingers = true
    this.#beginEnd()
  }

  end(): void {
    if (this.#lingers) {
      this.#lingers = false
      // Ticks come before promises; of these all, and what follows from them, before the next tick.
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
