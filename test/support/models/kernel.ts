// Up to 20 connections of a server, and everything that can happen to them.
import { PLACES_OF_ROUTE } from './kernel-bounds.js'
import { type RouteName, type Schedule, schedules } from './kernel-commands.js'
import { KernelRun } from './kernel-run.js'
import { KernelWorld } from './kernel-world.js'
import type { Model } from './property.js'
import { Uncaught } from './uncaught.js'

/** @param places how many the model gives a place on the route `few`; the server does not ask it */
export async function playWith(places: number, { ends, seed, steps }: Schedule): Promise<void> {
  const uncaught = new Uncaught()
  const world = await KernelWorld.serve(seed, routesOf(steps))
  const run = new KernelRun(world, places)
  try {
    for (const step of steps) {
      await run.step(step)
      uncaught.expectNone()
    }
    await run.finish(ends)
    uncaught.expectNone()
  } finally {
    await run.clear()
    uncaught.stop()
  }
}

/** Those that are dialled, also in the end. A server with all of them takes longer to make. */
function routesOf(steps: Schedule['steps']): Set<RouteName> {
  const dialled = steps.flat().flatMap((command) => (command.does === 'dial' ? command.route : []))
  return new Set<RouteName>([...dialled, 'few', 'key', 'newest'])
}

export const kernel: Model<Schedule> = {
  name: 'kernel',
  file: 'kernel.ts',
  schedules,
  play: (schedule) => playWith(PLACES_OF_ROUTE, schedule),
}
