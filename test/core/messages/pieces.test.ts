import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pieceBounds } from '../../../lib/core/messages/pieces.js'

test('there is a piece for each 64 bytes of a message, from 1,024 to what ws allows', () => {
  for (const [maxPayload, maxBufferedChunks, maxFragments] of [
    [1, 1_024, 1_024],
    [65_536, 1_024, 1_024],
    [65_537, 1_025, 1_025],
    [1_048_576, 16_384, 16_384],
    [1_048_577, 16_385, 16_384],
    [16_777_216, 262_144, 16_384],
    [2 ** 31 - 1, 262_144, 16_384],
  ] as const) {
    assert.deepEqual(pieceBounds(maxPayload), { maxBufferedChunks, maxFragments }, `${maxPayload}`)
  }
})

test('where a message may be of any size, what ws allows holds', () => {
  assert.deepEqual(pieceBounds(0), { maxBufferedChunks: 262_144, maxFragments: 16_384 })
})
