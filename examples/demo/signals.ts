export const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** A signal to a whole process group comes more than once: npm gets it too, and passes it on. */
const ECHO = 1_000

/** Stops once; whoever asks again later than that has the process end at once. */
export function onSignal(stop: () => void): void {
  let firstAt: number | undefined
  const hear = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (firstAt === undefined) {
      firstAt = now
      stop()
    } else if (now - firstAt > ECHO) {
      console.error(`${signal} once more: ends at once`)
      process.exit(1)
    }
  }
  for (const signal of SIGNALS) process.on(signal, hear)
}
