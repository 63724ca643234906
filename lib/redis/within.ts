import { startForAll } from '../platform/context.js'
import type { Clock } from '../time/clock.js'
import { afterNextPoll } from '../time/sweep.js'

/**
 * Waits for a promise, but not for ever. What it stands for goes on. A process that stood still hears first what has been
 * answered meanwhile.
 * @param late makes the error if it has not settled in time
 */
export async function within<T>(
  clock: Clock,
  delay: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => afterNextPoll(() => reject(late())), delay)
    timer.unref()
    const settle = (): void => clock.clearTimeout(timer)
    promise.finally(settle).then(resolve, reject)
  })
}

/** The same, for a promise that never rejects: resolves, also if it has not settled in time. */
export async function orAfter(clock: Clock, delay: number, done: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = startForAll(() => clock.setTimeout(() => afterNextPoll(resolve), delay))
    timer.unref()
    void done.then(() => {
      clock.clearTimeout(timer)
      resolve()
    })
  })
}
