// Random schedules of a server's sessions: lines that are cut, clients that come back, hooks that fail, time, limits.
import { test } from 'node:test'
import * as fc from 'fast-check'
import { behaviours, commands } from '../support/models/sessions-commands.js'
import type { Bounds } from '../support/models/sessions-model.js'
import { Run } from '../support/models/sessions-run.js'
import { WatchedSessions } from '../support/servers/watched-sessions.js'

/** `RUNS=2000` looks longer for what is rare. A failure tells its seed. */
const RUNS = Number(process.env['RUNS'] ?? 75)
/** Then a schedule that has failed is short enough, in ms. */
const LONG = 300 * RUNS + 30_000

/** The sweep looks once a second, which is as seldom as it can be. */
const KEEPALIVE = { interval: 20_000, timeout: 10_000 }
const BOUNDS: Omit<Bounds, 'maxBytes'> = {
  places: 3,
  window: 5_000,
  cleanupTimeout: 2_000,
  closeTimeout: 10_000,
  drainTimeout: 4_000,
  longestSilence: 35_000,
  slack: 2_000,
}

for (const [what, maxBytes] of [
  ['', 1_000_000],
  [', and little memory', 20_000],
] as const) {
  test(`whatever happens to sessions, each has one end, and all arrives once${what}`, async () => {
    const schedules = fc.array(commands, { minLength: 20, maxLength: 50, size: 'max' })
    const manners = fc.array(behaviours, { minLength: 10, maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(schedules, manners, async (schedule, behaviours) => {
        const world = await WatchedSessions.serve({ ...BOUNDS, maxBytes }, behaviours, KEEPALIVE)
        const run = new Run(world)
        try {
          for (const command of schedule) await run.do(command)
          await run.finish()
        } finally {
          run.clear()
          await world.close()
        }
      }),
      { numRuns: RUNS, includeErrorInReport: true, plugins: [fc.interruptAfterTimeLimit(LONG)] },
    )
  })
}
