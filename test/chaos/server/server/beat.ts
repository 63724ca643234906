import type { Accounts } from './accounts.js'

const EVERY = 50
/** A machine that is only busy is not as late as that, in ms. */
const STANDSTILL = 250

/** Whether timers run as they should: the longest time in which none did, and what else went on meanwhile. */
export class Beat {
  gap = 0
  /** For how long none did, of all times in which that was long, in ms. */
  stood = 0
  /** Upgrade requests that came in that time. */
  requests = 0

  constructor(accounts: Accounts) {
    let at = performance.now()
    let { acquired } = accounts
    const beat = (): void => {
      const now = performance.now()
      if (now - at > STANDSTILL) this.stood += now - at
      if (now - at > this.gap) {
        this.gap = Math.round(now - at)
        this.requests = accounts.acquired - acquired
      }
      at = now
      ;({ acquired } = accounts)
    }
    setInterval(beat, EVERY).unref()
  }
}
