import { clearTimeout, setTimeout } from '../platform/real-time.js'

/** What {@link inTime} resolves with if time is up. */
export const LATE: unique symbol = Symbol('late')

/** How long a wait may take that has no timeout of its own, in ms. */
export const LONG = 5_000

/**
 * Whoever awaits this makes the error itself: only then its stack leads to the test.
 * @param timeout in ms of real time; `Infinity` is allowed
 * @throws (rejects) with what the promise rejects with
 */
export async function inTime<T>(
  promise: PromiseLike<T>,
  timeout: number,
): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    if (timeout < Infinity) timer = setTimeout(() => resolve(LATE), timeout)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
