import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIRECTOR, type Entry } from '../ledger.js'
import { CONCURRENCY } from '../timings.js'
import { REASONS } from './repeats.js'
import { at, killed, lives, opens, releases, trouble, verdictOn } from './story.js'

const LOST = 'not released: Redis lost the record, and its node was gone'
const survivor = { survivor: true, fence: 5 }

test('a release by its node, and one by a survivor, are right', () => {
  const { counts, rules } = verdictOn(
    lives(1, 'a', 0, 10_000),
    lives(2, 'b', 0, 30_000),
    opens(1_000, 1, 'a', 'x'),
    opens(1_000, 1, 'a', 'y'),
    releases(5_000, 1, 'a', 'x'),
    killed(10_000, 1),
    at(17_000, 2, { what: 'claimed', node: 'a' }),
    releases(17_000, 2, 'a', 'y', survivor),
  )
  assert.deepEqual(rules, [])
  assert.equal(counts.get('released by its node'), 1)
  assert.equal(counts.get('released by a survivor'), 1)
  assert.equal(counts.get('longest of those with a survivor that was well, ms'), 7_010)
})

test('a 101 without a release is a violation, also if its node had no time to say anything', () => {
  const silent = at(9_000, DIRECTOR, { what: 'admitted', ticket: 'unheard of', kind: 'strict' })
  const { rules } = verdictOn(
    lives(1, 'a', 0, 10_000),
    opens(1_000, 1, 'a', 'x'),
    silent,
    killed(10_000, 1),
  )
  assert.deepEqual(rules, ['R1', 'R1'])
})

test('a release that has begun, or failed, is none', () => {
  const run = { id: 'x', ticket: 'ticket of x', owner: 'a', fence: 1, survivor: false }
  const { rules } = verdictOn(
    opens(1_000, 1, 'a', 'x'),
    at(2_000, 1, { what: 'releasing', ...run }),
    at(2_100, 1, { what: 'failed', ...run }),
  )
  assert.deepEqual(rules, ['R1'])
})

test('a record that Redis lost is excused only if its node could not write it again', () => {
  const lost = at(5_000, DIRECTOR, { what: 'data lost', since: 0 })
  const died = verdictOn(lives(1, 'a', 0, 6_000), opens(1_000, 1, 'a', 'x'), lost, killed(6_000, 1))
  assert.deepEqual(died.rules, [])
  assert.equal(died.counts.get(LOST), 1)
  const lived = verdictOn(
    lives(1, 'a', 0, 15_000),
    opens(1_000, 1, 'a', 'x'),
    lost,
    killed(15_000, 1),
  )
  assert.deepEqual(lived.rules, ['R1'])
  const later = verdictOn(
    lives(1, 'a', 0, 9_000),
    opens(8_500, 1, 'a', 'x'),
    lost,
    killed(9_000, 1),
  )
  assert.deepEqual(later.rules, ['R1'])
})

/** Node `a` dies after 10 s; the second process claims it, and releases what it had. */
function dies(claimedAt: number, releasedAt: number) {
  return [
    lives(1, 'a', 0, 10_000),
    opens(1_000, 1, 'a', 'x'),
    killed(10_000, 1),
    at(claimedAt, 2, { what: 'claimed', node: 'a' }),
    releases(releasedAt, 2, 'a', 'x', survivor),
  ] as const
}

test('a release long after a death is a violation, if somebody was there who could have done it', () => {
  const story = dies(25_000, 25_000)
  assert.deepEqual(verdictOn(lives(2, 'b', 0, 30_000), ...story).rules, ['R1'])
  const cut = trouble('cut', 2, 11_000, 15_000)
  assert.deepEqual(verdictOn(lives(2, 'b', 0, 30_000), cut, ...story).rules, [])
})

test('who has claimed a node in time keeps it, also while he is held up for less than a lease', () => {
  const others = [lives(2, 'b', 0, 30_000), lives(3, 'c', 0, 30_000)]
  const story = [...others, ...dies(17_000, 21_000)]
  assert.deepEqual(verdictOn(...story).rules, ['R1'])
  assert.deepEqual(verdictOn(...story, trouble('stopped', 2, 17_100, 19_000)).rules, [])
})

test('a second release needs a reason', () => {
  const first = [lives(1, 'a', 0, 30_000), lives(2, 'b', 0, 30_000), opens(1_000, 1, 'a', 'x')]
  const twice = [releases(5_000, 1, 'a', 'x'), releases(15_000, 2, 'a', 'x', survivor)]
  assert.deepEqual(verdictOn(...first, ...twice).rules, ['R1'])

  const died = verdictOn(...first, ...twice, killed(5_100, 1))
  assert.deepEqual(died.rules, [])
  assert.equal(died.counts.get(REASONS.died), 1)

  const cutOff = verdictOn(...first, ...twice, trouble('cut', 1, 4_000, 20_000))
  assert.deepEqual(cutOff.rules, [])
  assert.equal(cutOff.counts.get(REASONS.cutOff), 1)

  const cutAndDied = [trouble('cut', 1, 4_000, 20_000), killed(9_000, 1)]
  const lostRedis = verdictOn(...first, ...twice, ...cutAndDied)
  assert.deepEqual(lostRedis.rules, [])
  assert.equal(lostRedis.counts.get(REASONS.lostRedis), 1)

  const lost = at(6_000, DIRECTOR, { what: 'data lost', since: 4_500 })
  const removalLost = verdictOn(...first, ...twice, lost, killed(7_000, 1))
  assert.deepEqual(removalLost.rules, [])
  assert.equal(removalLost.counts.get(REASONS.removalLost), 1)
})

test('a node that was paused, claimed and forgotten lives on, and its releases run once more', () => {
  const story = [
    lives(1, 'a', 0, 20_000),
    lives(2, 'b', 0, 40_000),
    opens(1_000, 1, 'a', 'x'),
    releases(9_000, 2, 'a', 'x', survivor),
    killed(20_000, 1),
    releases(27_000, 2, 'a', 'x', { survivor: true, fence: 6 }),
  ]
  assert.deepEqual(verdictOn(...story).rules, ['R1'])
  const lost = verdictOn(...story, at(10_000, DIRECTOR, { what: 'data lost', since: 0 }))
  assert.deepEqual(lost.rules, [])
  assert.equal(lost.counts.get(REASONS.claimLost), 1)
  const lostLater = verdictOn(...story, at(21_000, DIRECTOR, { what: 'data lost', since: 0 }))
  assert.deepEqual(lostLater.rules, ['R1'])
})

/** A cleaner dies right after so many releases. */
function rulesOfDeath(count: number, ...more: readonly Entry[]): readonly string[] {
  const ids = Array.from({ length: count }, (_, index) => `x${index}`)
  const next = { survivor: true, fence: 6 }
  return verdictOn(
    lives(2, 'b', 0, 10_100),
    ids.flatMap((id) => opens(1_000, 1, 'a', id)),
    ids.flatMap((id) => releases(10_000, 2, 'a', id, survivor)),
    ids.flatMap((id) => releases(15_000, 3, 'a', id, next)),
    killed(10_100, 2),
    ...more,
  ).rules
}

test('more than `concurrency` releases for the death of one cleaner are too many', () => {
  assert.deepEqual(rulesOfDeath(CONCURRENCY), [])
  assert.deepEqual(rulesOfDeath(CONCURRENCY + 1), ['R1'])
  const lost = at(12_000, DIRECTOR, { what: 'data lost', since: 0 })
  assert.deepEqual(rulesOfDeath(CONCURRENCY + 1, lost), [], 'not for that death')
})

test('fences grow, and each runner has its own', () => {
  const first = [opens(1_000, 1, 'a', 'x'), releases(5_000, 2, 'a', 'x', survivor)]
  const smaller = { survivor: true, fence: 4 }
  const down = verdictOn(...first, releases(6_000, 3, 'a', 'x', smaller), killed(5_100, 2))
  assert.deepEqual(down.rules, ['fence'])
  const same = verdictOn(...first, releases(6_000, 3, 'a', 'x', survivor), killed(5_100, 2))
  assert.deepEqual(same.rules, ['fence'])
  const late = verdictOn(
    ...first,
    releases(6_000, 3, 'a', 'x', smaller),
    killed(5_100, 2),
    trouble('stopped', 3, 3_000, 5_900),
  )
  assert.deepEqual(late.rules, [])
  assert.equal(late.counts.get('runs that came too late, and that a fence refuses'), 1)
})
