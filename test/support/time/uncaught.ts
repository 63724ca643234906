import type { TestContext } from 'node:test'

/** The errors that reach `uncaughtException` from now on, of an app that survives it. */
export function surviveUncaught(t: TestContext): unknown[] {
  const errors: unknown[] = []
  process.setUncaughtExceptionCaptureCallback((error) => errors.push(error))
  t.after(() => process.setUncaughtExceptionCaptureCallback(null))
  return errors
}

/** The errors and rejections that nobody has caught from now on. The test runner is told of them as well. */
export function watchUncaught(t: TestContext): unknown[] {
  const errors: unknown[] = []
  const note = (error: unknown): void => void errors.push(error)
  process.on('uncaughtExceptionMonitor', note)
  process.on('unhandledRejection', note)
  t.after(() => {
    process.off('uncaughtExceptionMonitor', note)
    process.off('unhandledRejection', note)
  })
  return errors
}
