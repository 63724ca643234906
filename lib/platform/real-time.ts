/**
 * The functions of time, and of the turns of the loop, as they are when we are loaded. Fake timers that a test installs
 * later (sinon's, vitest's, jest's, node's own) do not move by themselves: a stream that is destroyed by one of them is
 * never destroyed, and `app.close()` waits for it. So nothing in lib/ uses the globals; the lint sees to that.
 */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import * as timers from 'node:timers'

// Constants: a named import of node's own module would follow whoever patches that.
export const setTimeout: typeof timers.setTimeout = timers.setTimeout
export const clearTimeout: typeof timers.clearTimeout = timers.clearTimeout
export const setInterval: typeof timers.setInterval = timers.setInterval
export const clearInterval: typeof timers.clearInterval = timers.clearInterval
export const setImmediate: typeof timers.setImmediate = timers.setImmediate
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask
export const nextTick: typeof process.nextTick = process.nextTick.bind(process)
/** Monotonic ms. */
export const monotonic: () => number = performance.now.bind(performance)

/**
 * Epoch ms, by the `Date` of this very moment: the moments that an app gives us (`expiresAt`) come from that one, too, and
 * whoever fakes it wants to see what happens then.
 */
export function epochNow(): number {
  return Date.now()
}

const RealDate = Date

/** Nothing of the date's own is called, nor a `Date` of a test, which may always make the same one. */
export function copyOfDate(date: Date): Date {
  return new RealDate(date)
}

/** Resolves in the next turn of the loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
