// Sessions of a server: lines that are cut, clients that come back, hooks that fail, time, limits.
import * as fc from 'fast-check'
import { type Behaviour, WatchedSessions } from '../servers/watched-sessions.js'
import type { Model } from './property.js'
import { behaviours, type Command, commands } from './sessions-commands.js'
import type { Bounds } from './sessions-model.js'
import { Run } from './sessions-run.js'

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

interface Schedule {
  readonly maxBytes: number
  /** What the hooks do, one after the other. */
  readonly behaviours: readonly Behaviour[]
  readonly commands: readonly Command[]
}

const schedules: fc.Arbitrary<Schedule> = fc.record(
  {
    // Enough, and little, for all suspended sessions of the route.
    maxBytes: fc.constantFrom(1_000_000, 20_000),
    behaviours: fc.array(behaviours, { minLength: 10, maxLength: 10 }),
    commands: fc.array(commands, { minLength: 20, maxLength: 50, size: 'max' }),
  },
  { noNullPrototype: true },
)

async function play({ behaviours, commands, maxBytes }: Schedule): Promise<void> {
  const world = await WatchedSessions.serve({ ...BOUNDS, maxBytes }, behaviours, KEEPALIVE)
  const run = new Run(world)
  try {
    for (const command of commands) await run.do(command)
    await run.finish()
  } finally {
    run.clear()
    await world.close()
  }
}

export const sessions: Model<Schedule> = { name: 'sessions', file: 'sessions.ts', schedules, play }
