// Any bytes after a handshake: what a bare ws server makes of them, ours makes too, on each way to get messages.
import { test } from 'node:test'
import * as fc from 'fast-check'
import { nothingLeft } from '../../lib/testing/index.js'
import { fuzz } from '../support/models/fuzz.js'
import { Judges } from '../support/models/verdicts.js'
import { mutated, mutations, packets, sequences } from '../support/models/wire-frames.js'
import { watchUncaught } from '../support/time/uncaught.js'

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
    await fuzz(
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
      75,
    )
    await judges.finish()
    await nothingLeft(judges.ours.app)
  })
}
