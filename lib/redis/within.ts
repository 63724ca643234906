import { startForAll } from '../platform/context.js'
import type { Clock } from '../time/clock.js'

/**
 * Waits for a promise, but not for ever. What it stands for goes on.
 * @param late makes the error if it has not settled in time
 */
export async function within<T>(
  clock: Clock,
  delay: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(late()), delay)
    timer.unref()
    const settle = (): void => clock.clearTimeout(timer)
    promise.finally(settle).then(resolve, reject)
  })
}

/** Waits for a promise that never rejects, but not for longer than so many ms. */
export async function orAfter(clock: Clock, delay: number, done: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = startForAll(() => clock.setTimeout(resolve, delay))
    timer.unref()
    void done.then(() => {
      clock.clearTimeout(timer)
      resolve()
    })
  })
}
