import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  departureDelay,
  DRAIN_GRACE,
  goodbyeBudget,
  spreadWithin,
} from '../../lib/core/drain-plan.js'

test('a goodbye has the time of a step where the drain has it to spare', () => {
  assert.equal(goodbyeBudget(1_000, 3_000, 8_000), 1_000)
})

test('a goodbye leaves the close its time, and what follows the deadline its grace', () => {
  assert.equal(DRAIN_GRACE, 500)
  assert.equal(goodbyeBudget(5_000, 3_000, 8_000), 4_500)
  assert.equal(goodbyeBudget(5_000, 3_000, 3_500), 0)
})

test('a goodbye never has less than no time', () => {
  const duration = fc.integer({ min: 1, max: 100_000 })
  fc.assert(
    fc.property(duration, duration, duration, (cleanup, close, drain) => {
      const budget = goodbyeBudget(cleanup, close, drain)
      assert.ok(budget >= 0 && budget <= cleanup)
      assert.ok(budget === 0 || budget + close + DRAIN_GRACE <= drain)
    }),
  )
})

test('the spread leaves each close its time, or half of what is left', () => {
  assert.equal(spreadWithin(1_000, 3_000, 8_000), 1_000)
  assert.equal(spreadWithin(6_000, 3_000, 8_000), 4_500)
  assert.equal(spreadWithin(4_000, 3_000, 3_500), 1_750)
  assert.equal(spreadWithin(1_000, 3_000, -1), 0)
  assert.equal(spreadWithin(0, 3_000, 8_000), 0)
})

test('without a spread everybody leaves at once', () => {
  assert.equal(departureDelay(7, 10, 0, 0.9), 0)
})

test('with one, each has a slice of it for itself, in order, and a random place in it', () => {
  assert.equal(departureDelay(0, 4, 1_000, 0), 0)
  assert.equal(departureDelay(0, 4, 1_000, 0.5), 125)
  assert.equal(departureDelay(3, 4, 1_000, 0.5), 875)
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(random, { minLength: 1 }),
      fc.integer({ min: 1, max: 60_000 }),
      (rolls, spread) => {
        const delays = rolls.map((roll, index) => departureDelay(index, rolls.length, spread, roll))
        assert.deepEqual(
          delays,
          delays.toSorted((one, other) => one - other),
        )
        assert.ok(delays.every((delay) => delay >= 0 && delay <= spread))
      },
    ),
  )
})
