// A property of random bytes, played as often as there is time for.
import * as fc from 'fast-check'

/** `SEED=n` plays others. */
export const SEED = Number(process.env['SEED'] ?? 1)

/** Each run has so long, all together, and all have so long besides, in ms. */
const RUN = 500
const MORE = 30_000

/**
 * Plays a property with the same random values each time, unless `SEED=n` says which.
 * @param few how many runs; `RUNS=5000` looks longer for what is rare
 * @throws (rejects) with the values that fail, and why they do
 */
export async function fuzz<Values extends unknown[]>(
  property: fc.IAsyncProperty<Values>,
  few: number,
): Promise<void> {
  const numRuns = Number(process.env['RUNS'] ?? few)
  const result = await fc.check(property, {
    numRuns,
    plugins: [fc.interruptAfterTimeLimit(RUN * numRuns + MORE)],
    seed: SEED,
  })
  tellOfFewer(result, numRuns)
  if (!result.failed) return
  throw new Error(await fc.asyncDefaultReportMessage(result), { cause: result.errorInstance })
}

/** Fewer runs than wanted are no failure, but they are told: the machine is slow, or has other work. */
export function tellOfFewer(
  { failed, interrupted, numRuns }: { failed: boolean; interrupted: boolean; numRuns: number },
  wanted: number,
): void {
  if (interrupted && !failed) console.log(`Time was up after ${numRuns} of ${wanted} runs`)
}
