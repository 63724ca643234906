// A property of random bytes, played as often as there is time for.
import * as fc from 'fast-check'
import { runsOr, SEED, tellOfFewer } from './runs.js'

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
  const numRuns = runsOr(few)
  const result = await fc.check(property, {
    numRuns,
    plugins: [fc.interruptAfterTimeLimit(RUN * numRuns + MORE)],
    seed: SEED,
  })
  tellOfFewer(result, numRuns)
  if (!result.failed) return
  throw new Error(await fc.asyncDefaultReportMessage(result), { cause: result.errorInstance })
}
