import type { Accounts } from './accounts.js'

const EVERY = 50

/** Whether timers run as they should: the longest time in which none did, and what else went on meanwhile. */
export class Beat {
  gap = 0
  /** Upgrade requests that came in that time. */
  requests = 0

  constructor(accounts: Accounts) {
    let at = performance.now()
    let { acquired } = accounts
    const beat = (): void => {
      const now = performance.now()
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
