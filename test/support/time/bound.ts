import { setTimeout as delay } from 'node:timers/promises'

/** Fails a test that would wait for ever; nothing else depends on how long it is. */
export async function within<T>(promise: Promise<T>, what: string, limit = 10_000): Promise<T> {
  const timer = new AbortController()
  const late = delay(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`Expected ${what} within ${limit} ms`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
    late.catch(() => {})
  }
}
