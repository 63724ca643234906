import type { World } from '../../../lib/client/world.js'
import { type Clock, systemClock, type Timer } from '../../../lib/time/clock.js'

/** The system's clock, so many times as fast: a second of the code is a moment of the test. */
export function fastClock(speed: number): Clock {
  const startedAt = Date.now()
  return {
    ...systemClock,
    now: () => systemClock.now() * speed,
    wall: () => startedAt + (Date.now() - startedAt) * speed,
    setTimeout: (callback: () => void, delay: number): Timer =>
      systemClock.setTimeout(callback, delay / speed),
    setInterval: (callback: () => void, delay: number): Timer =>
      systemClock.setInterval(callback, delay / speed),
  }
}

/** The same for the world of a client. */
export function fastWorld(speed: number, random: () => number): World {
  const clock = fastClock(speed)
  return {
    Date: { now: () => clock.wall() },
    Math: { random },
    setTimeout: (callback, delay) => setTimeout(callback, delay / speed),
    setInterval: (callback, delay) => setInterval(callback, delay / speed),
    clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  }
}
