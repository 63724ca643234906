import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { MessageRate, type RatePolicy } from '../../../lib/core/messages/message-rate.js'

/** Which of the messages that arrive at these times are within the rate. */
function admissions(policy: RatePolicy, arrivals: readonly number[]): boolean[] {
  const rate = new MessageRate(policy)
  return arrivals.map((now) => rate.admits(now))
}

test('as many as may come in a window pass, and the next does not', () => {
  assert.deepEqual(admissions({ max: 3, window: 100 }, [0, 0, 99, 99]), [true, true, true, false])
})

test('a window begins with its first message, not with the connection', () => {
  const policy = { max: 2, window: 100 }
  assert.deepEqual(admissions(policy, [90, 110, 180]), [true, true, false])
})

test('when a window is over, the next message begins another', () => {
  const policy = { max: 1, window: 100 }
  assert.deepEqual(admissions(policy, [0, 99, 100, 199, 200]), [true, false, true, false, true])
})

test('what came while we did not read passes, as much of it as could have come, and no more', () => {
  const rate = new MessageRate({ max: 3, window: 100 })
  for (let sent = 0; sent < 3; sent++) assert.equal(rate.admits(0), true)
  rate.excuse(500)
  for (let sent = 0; sent < 3 + 5 * 3; sent++) assert.equal(rate.admits(600), true)
  assert.equal(rate.admits(600), false)
})

test('an excuse is for what comes when reading goes on, and no licence for later', () => {
  const rate = new MessageRate({ max: 3, window: 100 })
  rate.excuse(1_000_000)
  for (const now of [0, 100, 200, 300]) assert.equal(rate.admits(now), true)
  const burst = Array.from({ length: 2 * 3 + 1 }, () => rate.admits(350))
  assert.equal(burst.includes(false), true)
})

const policies: fc.Arbitrary<RatePolicy> = fc.record({
  max: fc.integer({ min: 1, max: 8 }),
  window: fc.integer({ min: 1, max: 500 }),
})

/** Times between arrivals: bursts, and gaps around the length of a window. */
const gaps = fc.array(
  fc.oneof(fc.constant(0), fc.nat(5), fc.nat(200), fc.integer({ min: 400, max: 1_200 })),
  { minLength: 1, maxLength: 200 },
)

/** When a sender sends that keeps to the rate: as soon as it wants to, and as late as it must. */
function keepingTo({ max, window }: RatePolicy, wanted: readonly number[]): number[] {
  const sends: number[] = []
  let now = 0
  for (const gap of wanted) {
    now = Math.max(now + gap, (sends.at(-max) ?? -Infinity) + window)
    sends.push(now)
  }
  return sends
}

test('whoever never sends more than the maximum in any time of a window is never refused', () => {
  fc.assert(
    fc.property(policies, gaps, (policy, wanted) => {
      assert.equal(admissions(policy, keepingTo(policy, wanted)).includes(false), false)
    }),
  )
})

interface Pause {
  /** How long all is read before, as it comes. */
  readonly after: number
  readonly lasts: number
  /** So many of those that wait are read at its end, before the next. */
  readonly reads: number
}

const pauses: fc.Arbitrary<Pause[]> = fc.array(
  fc.record({
    after: fc.oneof(fc.constant(0), fc.nat(50), fc.nat(1_500)),
    lasts: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 3_000 })),
    reads: fc.nat(10),
  }),
  { maxLength: 20 },
)

test('whoever keeps to the rate is not refused for what was read late, however reading paused', () => {
  fc.assert(
    fc.property(policies, gaps, pauses, (policy, wanted, schedule) => {
      const rate = new MessageRate(policy)
      const unread = keepingTo(policy, wanted)
      let now = 0
      const read = (until: number, atMost = Infinity): void => {
        for (let count = 0; count < atMost; count++) {
          const sentAt = unread[0]
          if (sentAt === undefined || sentAt > until) break
          unread.shift()
          now = Math.max(now, sentAt)
          assert.equal(rate.admits(now), true)
        }
      }
      for (const { after, lasts, reads } of schedule) {
        // Without time between two pauses, what the first left is read after the second.
        const pausedAt = now + after
        if (after > 0) read(pausedAt)
        now = pausedAt + lasts
        rate.excuse(lasts)
        read(now, reads)
      }
      read(Infinity)
    }),
    { numRuns: 1_000 },
  )
})

test('more than twice the maximum within one window is always refused, wherever it begins', () => {
  fc.assert(
    fc.property(
      policies,
      gaps,
      fc.nat(2_000),
      fc.infiniteStream(fc.nat()),
      (policy, before, pause, spots) => {
        const rate = new MessageRate(policy)
        let now = 0
        for (const gap of before) rate.admits((now += gap))
        const begin = now + pause
        const burst = [...spots.take(2 * policy.max + 1)]
          .map((spot) => begin + (spot % policy.window))
          .toSorted((one, other) => one - other)
        assert.equal(burst.map((at) => rate.admits(at)).includes(false), true)
      },
    ),
  )
})
