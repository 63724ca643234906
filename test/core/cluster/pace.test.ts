import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Pace } from '../../../lib/core/cluster/pace.js'

/** When things begin that are looked after at these times: as many as may begin then. */
function begin(rate: number, looks: readonly number[]): number[] {
  const pace = new Pace(rate)
  return looks.flatMap((now) => {
    const begun: number[] = []
    while (pace.freeAt <= now) {
      pace.took(now)
      begun.push(now)
    }
    return begun
  })
}

test('they begin evenly', () => {
  const looks = Array.from({ length: 1_001 }, (_, ms) => ms)
  const begun = begin(100, looks)
  assert.equal(begun.filter((at) => at === 0).length, 6, 'what could have begun in 50 ms before')
  assert.equal(begun.length, 106)
})

test('what could not begin because a timer came late is made up for', () => {
  const looks = Array.from({ length: 51 }, (_, at) => at * 20)
  assert.equal(begin(100, looks).length, 106)
})

test('in no time more begin than the rate allows, and 50 ms of it', () => {
  const gaps = fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 100 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), gaps, (rate, gaps) => {
      let now = 0
      const begun = begin(
        rate,
        gaps.map((gap) => (now += gap)),
      )
      for (const [first, from] of begun.entries()) {
        for (let last = first; last < begun.length; last++) {
          const most = ((begun[last]! - from + 50) * rate) / 1_000 + 1
          if (last - first + 1 > most + 1e-6) return false
        }
      }
      return true
    }),
    { numRuns: 200 },
  )
})

test('it says when the next may begin', () => {
  const pace = new Pace(10)
  assert.equal(pace.freeAt, -Infinity)
  pace.took(1_000)
  assert.equal(pace.freeAt, 1_050)
  pace.took(1_050)
  assert.equal(pace.freeAt, 1_150)
})
