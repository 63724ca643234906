import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIRECTOR, type Entry } from '../ledger.js'
import { at, lives, opens, releases, trouble, verdictOn } from './story.js'

const STORY = [
  lives(1, 'a', 0, 30_000),
  opens(1_000, 1, 'a', 'x'),
  opens(1_000, 1, 'a', 'y'),
  trouble('redis down', 'all', 9_000, 10_000),
  at(29_000, 1, { what: 'ended', id: 'x' }),
  at(29_000, 1, { what: 'ended', id: 'y' }),
  releases(29_000, 1, 'a', 'x'),
  releases(29_000, 1, 'a', 'y'),
] as const

function look(time: number, ids: readonly string[]): Entry {
  return at(time, DIRECTOR, { what: 'records', lostAt: 10_000, ids })
}

test('after Redis lost data all records are there again within a renewal', () => {
  const soon = verdictOn(
    ...STORY,
    look(10_200, ['x']),
    look(12_500, ['x', 'y']),
    look(14_000, ['x', 'y']),
  )
  assert.deepEqual(soon.rules, [])
  assert.equal(soon.counts.get('most of them that were not there at first'), 1)
  assert.equal(soon.counts.get('longest until all were there again, ms'), 2_500)
  const late = verdictOn(...STORY, look(10_200, ['x']), look(14_000, ['x', 'y']))
  assert.deepEqual(late.rules, ['loss'])
  assert.deepEqual(verdictOn(...STORY, look(14_000, ['x'])).rules, ['loss'])
})

test('but for those of a node that was in trouble by itself', () => {
  const cut = trouble('cut', 1, 9_500, 12_000)
  assert.deepEqual(verdictOn(...STORY, cut, look(10_200, ['x'])).rules, [])
})
