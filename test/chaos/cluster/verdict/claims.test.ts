import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, killed, lives, opens, releases, trouble, verdictOn } from './story.js'

const survivor = { survivor: true, fence: 5 }
const claimed = at(12_000, 2, { what: 'claimed', node: 'a' })

test('a claim of a node that was connected for a lease is a violation', () => {
  assert.deepEqual(verdictOn(lives(1, 'a', 0, 20_000), claimed).rules, ['R2'])
})

test('a claim of one that is dead, stands still or says that it is cut off is right', () => {
  const dead = verdictOn(lives(1, 'a', 0, 4_000), killed(4_000, 1), claimed)
  assert.deepEqual(dead.rules, [])
  const still = verdictOn(lives(1, 'a', 0, 4_000), lives(1, 'c', 20_000, 30_000), claimed)
  assert.deepEqual(still.rules, [])
  assert.equal(still.counts.get('nodes that were fenced, and lived on'), 1)
  const knows = verdictOn(
    lives(1, 'a', 0, 4_000),
    lives(1, 'a', 4_200, 15_000, false),
    lives(1, 'c', 15_200, 20_000),
    trouble('cut', 1, 4_000, 15_000),
    claimed,
  )
  assert.deepEqual(knows.rules, [])
})

test('a claim of one that has not reached Redis because nobody did is a violation', () => {
  const [before, after] = [lives(1, 'a', 0, 4_000), lives(1, 'a', 4_200, 15_000, false)]
  const down = trouble('redis down', 'all', 1_000, 11_000)
  assert.deepEqual(verdictOn(before, after, down, claimed).rules, ['R2'])
  const slow = trouble('slow', 1, 1_000, 2_000)
  assert.deepEqual(verdictOn(before, after, down, slow, claimed).rules, [])
})

test('who was fenced serves none of its connections a renewal after it can run and reach Redis', () => {
  const story = [
    lives(1, 'a', 0, 4_000),
    lives(1, 'c', 20_000, 40_000),
    trouble('stopped', 1, 4_000, 20_000),
    opens(1_000, 1, 'a', 'x'),
    claimed,
    releases(12_000, 2, 'a', 'x', survivor),
  ] as const
  const ended = (time: number): readonly string[] =>
    verdictOn(...story, at(time, 1, { what: 'ended', id: 'x' })).rules
  assert.deepEqual(ended(21_000), [])
  assert.deepEqual(ended(30_000), ['R3'])
  assert.deepEqual(verdictOn(...story).rules, ['R3'])
})
