import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIRECTOR, type Entry } from '../ledger.js'
import { at, killed, lives, opens, releases, trouble, verdictOn } from './story.js'

const NODES = [lives(1, 'a', 0, 30_000), lives(2, 'b', 0, 30_000)]
const MEMBER = [
  opens(1_000, 1, 'a', 'x'),
  at(29_000, 1, { what: 'ended', id: 'x' }),
  releases(29_000, 1, 'a', 'x'),
]

function publishes(unreached: readonly string[] = []): Entry {
  const key = 'room'
  return at(9_100, DIRECTOR, {
    what: 'published',
    by: 2,
    key,
    publish: '2.1',
    from: 9_000,
    unreached,
  })
}

function sees(publishes: readonly string[], upTo = 20_000): Entry {
  const key = 'room'
  return at(28_000, DIRECTOR, {
    what: 'seen',
    id: 'x',
    of: 1,
    key,
    openedAt: 1_000,
    upTo,
    publishes,
  })
}

function finds(
  found: ReadonlyArray<{ id: string; node: string }>,
  unreached: readonly string[] = [],
): Entry {
  return at(9_100, DIRECTOR, { what: 'found', by: 2, key: 'room', from: 9_000, found, unreached })
}

test('what is published gets to a member that is there all the time', () => {
  const got = verdictOn(...NODES, ...MEMBER, publishes(), sees(['2.1']))
  assert.deepEqual(got.rules, [])
  assert.equal(got.counts.get('publishes that got to a member'), 1)
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, publishes(), sees([])).rules, ['publish'])
  // It may have left before.
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, publishes(), sees([], 9_500)).rules, [])
})

test('or its node is named, or had lost Redis', () => {
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, publishes(['a']), sees([])).rules, [])
  const cut = trouble('cut', 1, 8_000, 10_000)
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, publishes(), sees([]), cut).rules, [])
})

test('nothing comes twice, or in another order', () => {
  const twice = verdictOn(...NODES, ...MEMBER, sees(['2.1', '2.1']))
  assert.deepEqual(twice.rules, ['publish'])
  const late = verdictOn(...NODES, ...MEMBER, sees(['2.1', '3.3', '2.2', '3.2']))
  assert.deepEqual(late.rules, ['publish'])
})

test('who is there is found', () => {
  const found = verdictOn(...NODES, ...MEMBER, finds([{ id: 'x', node: 'a' }]))
  assert.deepEqual(found.rules, [])
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, finds([])).rules, ['find'])
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, finds([], ['a'])).rules, [])
  const held = trouble('held', 1, 8_000, 10_000)
  assert.deepEqual(verdictOn(...NODES, ...MEMBER, finds([]), held).rules, [])
})

test('who is not there is not found, and a node whose lease is over is not named', () => {
  const gone = verdictOn(
    ...NODES,
    ...MEMBER,
    finds([
      { id: 'x', node: 'a' },
      { id: 'y', node: 'a' },
    ]),
  )
  assert.deepEqual(gone.rules, ['find'])
  const story = [lives(2, 'b', 0, 30_000), lives(1, 'a', 0, 4_000), finds([], ['a'])] as const
  assert.deepEqual(verdictOn(...story, killed(4_000, 1)).rules, ['find'])
  assert.deepEqual(verdictOn(...story, killed(6_000, 1)).rules, [])
  const stopped = trouble('stopped', 1, 4_000, 10_000)
  assert.deepEqual(verdictOn(...story, stopped).rules, ['find'])
  // It renewed while Redis stood still, and Redis does that later.
  const paused = trouble('redis paused', 'all', 3_900, 5_000)
  assert.deepEqual(verdictOn(...story, paused, stopped).rules, [])
})

test('the newest of a device stays', () => {
  const about = { what: 'replaced', device: 'd' } as const
  const others = at(1_000, DIRECTOR, { ...about, isNewest: false })
  assert.deepEqual(verdictOn(others).rules, [])
  const newest = at(1_000, DIRECTOR, { ...about, isNewest: true })
  assert.deepEqual(verdictOn(newest).rules, ['replace'])
})
