import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type HistoryFact,
  noteIn,
  readRing,
  type Ring,
} from '../../../lib/core/diagnosis/history.js'

const DAYS = 100 * 86_400_000

test('a history has the last sixteen facts, in order, with the time since the 101', () => {
  const facts = fc.array(
    fc.record({
      fact: fc.constantFrom<HistoryFact>('opened', 'pinged', 'ponged', 'closing', 'failed'),
      pause: fc.nat(DAYS),
    }),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(facts, fc.nat(DAYS), (all, openedAt) => {
      const ring: Ring = []
      let at = openedAt
      const noted = all.map(({ fact, pause }) => {
        at += pause
        noteIn(ring, fact, at + 0.5)
        return { at: at - openedAt, fact }
      })
      assert.deepEqual(readRing(ring, openedAt + 0.9), noted.slice(-16))
      assert.ok(ring.length <= 16)
    }),
  )
})

test('many messages that are dropped one after the other are one fact', () => {
  const ring: Ring = []
  for (const fact of ['dropped', 'dropped', 'paused', 'dropped'] as const) noteIn(ring, fact, 7)
  assert.deepEqual(
    readRing(ring, 0).map(({ fact }) => fact),
    ['dropped', 'paused', 'dropped'],
  )
})

test('a history is frozen, and what happened before the 101 happened at once', () => {
  const ring: Ring = []
  noteIn(ring, 'failed', 5)
  const history = readRing(ring, 9)
  assert.deepEqual(history, [{ at: 0, fact: 'failed' }])
  assert.ok(Object.isFrozen(history) && history.every((entry) => Object.isFrozen(entry)))
})
