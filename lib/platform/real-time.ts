/**
 * The functions of time and of the turns of the loop, as they are when this package is loaded. A test may
 * install fake timers later (those of sinon, vitest, jest or node), and they do not move by themselves: a
 * stream that should be destroyed by one never is, and `app.close()` waits for ever. So no file of lib/ uses
 * the globals; the lint checks that.
 */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import * as timers from 'node:timers'

// Constants, because a named import of node's own module would change when somebody patches that module.
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
 * Epoch ms, by the `Date` of this moment, which may be a fake one. The times that an app gives us
 * (`expiresAt`) come from the same `Date`, and a test that fakes it wants to see what happens then.
 */
export function epochNow(): number {
  return Date.now()
}

const RealDate = Date

/**
 * A copy of a date. It calls no method of the date itself, and no fake `Date` of a test, which may always
 * return the same one.
 */
export function copyOfDate(date: Date): Date {
  return new RealDate(date)
}

/** Resolves in the next turn of the loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
