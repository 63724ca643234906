import type { TestContext } from 'node:test'

/** The errors that reach `uncaughtException` from now on, of an app that survives it. */
export function surviveUncaught(t: TestContext): unknown[] {
  const errors: unknown[] = []
  process.setUncaughtExceptionCaptureCallback((error) => errors.push(error))
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  return errors
}
