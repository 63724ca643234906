// How often, and with which values, models and fuzz are played.
/** `SEED=n` plays others. */
export const SEED = Number(process.env['SEED'] ?? 1)

/**
 * How many schedules a test plays: a few, or `RUNS=2000` to look longer for what is rare.
 * @param share of those, for a model that is slow, or has several tests
 */
export function runsOr(few: number, share = 1): number {
  const runs = process.env['RUNS']
  return runs === undefined ? few : Math.ceil(Number(runs) * share)
}

/** Fewer runs than wanted are no failure, but they are told: the machine is slow, or has other work. */
export function tellOfFewer(
  { failed, interrupted, numRuns }: { failed: boolean; interrupted: boolean; numRuns: number },
  wanted: number,
): void {
  if (interrupted && !failed) console.log(`Time was up after ${numRuns} of ${wanted} runs`)
}
