import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  lifetimeEnd,
  type TimeFacts,
  TimeLimits,
  type TimePolicy,
} from '../../../lib/core/liveness/time-limits.js'

/** What fractions of ms lose, added to 1.7e12. */
const ROUNDING = 0.01
const NONE: TimePolicy = { idleTimeout: false, maxLifetime: false }
/** Epoch ms at 0 of the other clocks. */
const EPOCH = 1_700_000_000_000

/** What a look shows at a time, where the three clocks go at the same pace. */
function facts(at: number, seen: Partial<TimeFacts> = {}): TimeFacts {
  const still = { activity: 0, arriving: 0, taken: 0, backlogged: false, busy: false }
  return { now: at, forgivingNow: at, wall: EPOCH + at, ...still, ...seen }
}

function limits(policy: Partial<TimePolicy>, expiresAt = Infinity, random = 0): TimeLimits {
  const all = { ...NONE, ...policy }
  return new TimeLimits(all, expiresAt, lifetimeEnd(all, 0, random), 0)
}

test('without a limit nothing ends, and no look is asked for', () => {
  const none = limits({})
  assert.equal(none.look(facts(1e15)), undefined)
  assert.equal(none.remaining(facts(1e15)), Infinity)
})

test('silence ends a connection when it has lasted for idleTimeout, and not before', () => {
  const idle = limits({ idleTimeout: 1_000 })
  assert.equal(idle.look(facts(999)), undefined)
  assert.equal(idle.look(facts(1_000)), 'idle-timeout')
})

test('a message is activity, and so is one that waits or is handled, and a pause of reading', () => {
  for (const seen of [{ activity: 1 }, { busy: true }]) {
    const idle = limits({ idleTimeout: 1_000 })
    assert.equal(idle.look(facts(900, seen)), undefined)
    assert.equal(idle.look(facts(1_899, { ...seen, busy: false })), undefined)
  }
})

test('a message is activity once: a count that stays is silence', () => {
  const idle = limits({ idleTimeout: 1_000 })
  for (let at = 100; at < 1_100; at += 100) {
    assert.equal(idle.look(facts(at, { activity: 3 })), undefined, `${at}`)
  }
  assert.equal(idle.look(facts(1_100, { activity: 3 })), 'idle-timeout')
})

/** What a connection of 1,000 ms of patience shows, look by look. @returns whether it has ended at the last one */
function endsWith(looks: ReadonlyArray<Partial<TimeFacts>>, controlFrames: number[] = []): boolean {
  const idle = limits({ idleTimeout: 1_000 })
  return looks.some((seen, index) => {
    idle.controlFrames = controlFrames[index] ?? 0
    return idle.look(facts(index * 600, seen)) === 'idle-timeout'
  })
}

test('bytes and the end of a message are activity; one that comes no further is silent', () => {
  const coming = [{ arriving: 1 }, { arriving: 2 }, { arriving: 1_000_000 }]
  assert.equal(endsWith([...coming, { activity: 1 }, { activity: 1 }]), false)
  assert.equal(endsWith([...coming, ...coming.slice(-1), ...coming.slice(-1)]), true)
})

test('what the kernel takes of messages is activity, and not that they wait', () => {
  const [backlogged, activity] = [true, 1]
  const takes = [0, 500_000, 900_000, 900_001].map((taken) => ({ taken, backlogged, activity }))
  assert.equal(endsWith(takes), false)
  assert.equal(endsWith([...takes, ...takes.slice(-1), ...takes.slice(-1)]), true)
})

test('what the kernel takes of pings and pongs is none, at once or later', () => {
  const atOnce = [0, 191, 2 * 191].map((taken) => ({ taken }))
  assert.equal(endsWith(atOnce, [0, 1, 2]), true)
  const later = [0, 0, 191, 191].map((taken) => ({ taken, backlogged: true }))
  assert.equal(endsWith(later, [0, 1, 1, 1]), true)
  assert.equal(
    endsWith(
      [0, 192, 2 * 192].map((taken) => ({ taken })),
      [0, 1, 2],
    ),
    false,
  )
})

test('what was subtracted too much for them is forgotten as soon as nothing waits', () => {
  const looks = [{ taken: 0 }, { taken: 60 }, { taken: 70 }, { taken: 80 }]
  assert.equal(endsWith(looks, [0, 10, 10, 10]), false)
})

test('while it is busy nothing is silent, for however long', () => {
  const idle = limits({ idleTimeout: 1_000 })
  for (let at = 0; at < 1_000_000; at += 5_000) {
    assert.equal(idle.look(facts(at, { busy: true })), undefined)
  }
})

test('silence begins when it is busy no longer: not with the last look that saw it busy', () => {
  const idle = limits({ idleTimeout: 1_000 })
  assert.equal(idle.look(facts(5_000, { busy: true })), undefined)
  // It was busy until just before this look.
  assert.equal(idle.look(facts(5_100)), undefined)
  assert.equal(idle.look(facts(6_050)), undefined)
})

test('silence counts on the forgiving clock: it does not pass while our loop stands still', () => {
  const idle = limits({ idleTimeout: 1_000 })
  assert.equal(idle.look(facts(60_000, { forgivingNow: 999 })), undefined)
  assert.equal(idle.look(facts(60_001, { forgivingNow: 1_000 })), 'idle-timeout')
})

test('a lifetime ends after maxLifetime, or up to a tenth earlier', () => {
  for (const [random, endsAt] of [
    [0, 10_000],
    [0.5, 9_500],
    [1, 9_000],
  ] as const) {
    const lifetime = limits({ maxLifetime: 10_000 }, Infinity, random)
    const busy = { busy: true, activity: 7 }
    assert.equal(lifetime.look(facts(endsAt - 1, busy)), undefined)
    assert.equal(lifetime.look(facts(endsAt, busy)), 'lifetime-expired')
  }
})

test('a lifetime counts from the moment of opening, and passes while our loop stands still', () => {
  const lifetime = new TimeLimits(
    NONE,
    Infinity,
    lifetimeEnd({ ...NONE, maxLifetime: 1_000 }, 5_000, 0),
    300,
  )
  assert.equal(lifetime.look(facts(5_999)), undefined)
  assert.equal(lifetime.look(facts(6_000, { forgivingNow: 300 })), 'lifetime-expired')
})

test('credentials end by the wall clock, wherever the others stand', () => {
  const expiry = limits({}, EPOCH + 1_000)
  assert.equal(expiry.look(facts(1e9, { wall: EPOCH + 999 })), undefined)
  assert.equal(expiry.look(facts(0, { wall: EPOCH + 1_000 })), 'auth-expired')
})

test('the moment at which credentials end moves both ways', () => {
  const expiry = limits({})
  assert.equal(expiry.look(facts(1_000)), undefined)
  expiry.expiresAt = EPOCH + 2_000
  assert.equal(expiry.look(facts(1_999)), undefined)
  expiry.expiresAt = EPOCH + 9_000
  assert.equal(expiry.look(facts(2_000)), undefined)
  expiry.expiresAt = EPOCH
  assert.equal(expiry.look(facts(2_001)), 'auth-expired')
})

test('the wall clock can be set: while credentials can end, a look is due every second', () => {
  assert.equal(limits({}, EPOCH + 3_600_000).remaining(facts(0)), 1_000)
  assert.equal(limits({}, EPOCH + 250).remaining(facts(0)), 250)
})

test('silence is looked for ten times in its limit, so that it ends a tenth late at most', () => {
  assert.equal(limits({ idleTimeout: 60_000 }).remaining(facts(0)), 6_000)
})

const policies: fc.Arbitrary<TimePolicy> = fc.record({
  idleTimeout: fc.oneof(fc.constant(false as const), fc.integer({ min: 1, max: 5_000 })),
  maxLifetime: fc.oneof(fc.constant(false as const), fc.integer({ min: 1, max: 50_000 })),
})
const expiries = fc.oneof(
  fc.constant(Infinity),
  fc.integer({ min: 1, max: 50_000 }).map((at) => EPOCH + at),
)
const fractions = fc.double({ min: 0, max: 1, noNaN: true })

test('whoever looks no later than a look is due misses no limit, and ends nobody before one', () => {
  const talks = fc.array(fc.integer({ min: 1, max: 6_000 }), { maxLength: 30 })
  const shares = fc.array(fc.constantFrom(1, 1, 0.9, 0.3), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(policies, expiries, fractions, talks, shares, (policy, expiresAt, ...given) => {
      const [random, gaps, early] = given
      const { idleTimeout, maxLifetime } = policy
      const each = new TimeLimits(policy, expiresAt, lifetimeEnd(policy, 0, random), 0)
      const talkedAt = gaps.map((_, index) => gaps.slice(0, index + 1).reduce((a, b) => a + b, 0))
      for (let at = 0, looks = 0; at < 100_000 && looks < 3_000; looks++) {
        const messages = talkedAt.filter((talked) => talked <= at).length
        const silence = at - (talkedAt[messages - 1] ?? 0)
        const seen = facts(at, { activity: messages })
        const cause = each.look(seen)
        // Silence may have begun just after a look, so it is noticed up to a tenth late.
        assert.ok(silence <= (idleTimeout || Infinity) * 1.1 + ROUNDING)
        assert.ok(at <= (maxLifetime || Infinity) + ROUNDING)
        assert.ok(seen.wall <= expiresAt + ROUNDING)
        if (cause === 'idle-timeout') assert.ok(silence >= Number(idleTimeout) - ROUNDING)
        if (cause === 'lifetime-expired') assert.ok(at >= Number(maxLifetime) * 0.9 - ROUNDING)
        if (cause === 'auth-expired') assert.ok(seen.wall >= expiresAt)
        if (cause !== undefined) return
        const remaining = each.remaining(seen)
        assert.ok(remaining > 0)
        at += remaining * (early[looks % early.length] ?? 1)
      }
    }),
  )
})
