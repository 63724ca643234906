// Any bytes after a handshake: what a bare ws server makes of them, ours makes too, on each way to get messages.
import { test } from 'node:test'
import * as fc from 'fast-check'
import { nothingLeft } from '../../lib/testing/index.js'
import { Judges } from '../support/models/verdicts.js'
import { mutated, mutations, packets, sequences } from '../support/models/wire-frames.js'
import { watchUncaught } from '../support/time/uncaught.js'

/** `RUNS=5000` looks longer for what is rare. A failure tells its seed. */
const RUNS = Number(process.env['RUNS'] ?? 75)
/** Then what has failed is short enough, in ms. */
const LONG = 500 * RUNS + 30_000

for (const [what, isDeflating] of [
  ['frames', false],
  ['frames of a client that compresses', true],
] as const) {
  test(`${what}, right, wrong and mutated, in packets of any size`, async (t) => {
    const errors = watchUncaught(t)
    const judges = await Judges.serve(t, isDeflating)
    const leaves = fc.constantFrom(
      'quiet' as const,
      'quiet' as const,
      'fin' as const,
      'rst' as const,
    )
    await fc.assert(
      fc.asyncProperty(
        sequences(isDeflating),
        fc.oneof(fc.constant([]), mutations),
        packets,
        leaves,
        async (bytes, edits, sizes, leave) => {
          await judges.judge({ bytes: mutated(bytes, edits), packets: sizes, leave })
          if (errors.length > 0) throw errors[0]
        },
      ),
      { numRuns: RUNS, includeErrorInReport: true, plugins: [fc.interruptAfterTimeLimit(LONG)] },
    )
    await judges.finish()
    await nothingLeft(judges.ours.app)
  })
}
