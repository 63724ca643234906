import { setImmediate as turn } from 'node:timers/promises'
import { HandClock } from '../../../lib/testing/hand-clock.js'
import './delivered.js'

/** A clock that stands still until a test moves it, and begins at the same time in each test. */
export class FakeClock extends HandClock {
  constructor() {
    super(1_700_000_001_000)
  }
}

/** Lets the loop poll a few times, so that what is on loopback arrives. */
export async function turns(count = 6): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}
