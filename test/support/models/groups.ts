// What is sent to groups and to single members, who come, go, end, and lose their lines. Each gets what a plain loop
// would have sent it, in the same order.
import * as fc from 'fast-check'
import { type Command, commands, KINDS, MEMBERS } from './groups-commands.js'
import { GroupsRun } from './groups-run.js'
import { GroupsWorld } from './groups-world.js'
import type { Model } from './property.js'

type Schedule = readonly Command[]

const schedules: fc.Arbitrary<Schedule> = fc.array(commands, { maxLength: 60, size: 'max' })

async function play(schedule: Schedule): Promise<void> {
  const world = await GroupsWorld.serve()
  try {
    for (let i = 0; i < MEMBERS; i++) await world.enter(KINDS[i % KINDS.length] ?? 'plain')
    const run = new GroupsRun(world)
    // Time passes with each look, so that what is sent to all is cut into slices.
    world.clock.step = 5
    for (const command of schedule) await run.do(command)
    await run.finish()
  } finally {
    await world.clear()
    await world.app.close()
  }
}

export const groups: Model<Schedule> = { name: 'groups', file: 'groups.ts', schedules, play }
