// A survivor whose Redis answers as it should not, or at odd moments.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ALWAYS,
  LEASE,
  recordsOf,
  ScriptedRedis,
  type Survived,
  survivingAlone,
} from '../support/redis/cleaning.js'
import { durableRoute } from '../support/redis/durable.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'

const LIMITS = { concurrency: 8, rate: 1_000 }

function setUp(count: number, release: (call: number) => unknown = () => {}) {
  const clock = new FakeClock()
  const redis = new ScriptedRedis(recordsOf(count))
  const calls: number[] = []
  const route = durableRoute(() => release(calls.push(clock.now())))
  return { clock, redis, calls, ...survivingAlone(redis, clock, route, LIMITS) }
}

function messages({ node }: Survived): unknown[] {
  return node.lines.map(({ msg }) => msg)
}

const CLAIMED = 'a node is dead, and this one cleans up after it'
const CLEANED = 'this node has cleaned up after a dead one'
const LOST = 'another node has to go on cleaning up after a dead one'

test('a Redis that does not answer for a lease costs the claim', async () => {
  for (const deaf of ['HSCAN', 'SSCAN', 'HDEL']) {
    const it = setUp(3)
    const { calls, clock, redis, survivor } = it
    survivor.onDead(['dead'], ALWAYS)
    redis.commands['EXTEND'] = redis.commands[deaf] = () => assert.fail('no answer')
    await clock.advance(2 * LEASE)
    assert.deepEqual(messages(it), [CLAIMED, LOST], deaf)
    assert.equal(calls.length, deaf === 'HSCAN' ? 0 : 3)
    assert.equal(clock.pending, 0)
  }
})

test('a Redis that does not take note of the end has it cleaned once more', async () => {
  for (const answer of [() => 0, () => assert.fail('no answer')]) {
    const it = setUp(3)
    const { calls, clock, redis, survivor } = it
    redis.commands['DONE'] = answer
    redis.commands['EXTEND'] = () => assert.fail('no answer')
    survivor.onDead(['dead'], ALWAYS)
    await clock.advance(2 * LEASE)
    redis.commands['DONE'] = redis.commands['EXTEND'] = () => 1
    survivor.onDead(['dead'], ALWAYS)
    await clock.advance(1_000)
    assert.deepEqual(messages(it), [CLAIMED, LOST, CLAIMED, CLEANED])
    assert.equal(calls.length, 3)
  }
})

test('records that come to light later are released too', async () => {
  const it = setUp(2)
  const { calls, clock, redis, survivor } = it
  const scan = redis.commands['HSCAN']!
  let scans = 0
  redis.commands['HSCAN'] = (...args) => {
    const [, page] = scan(...args) as [string, string[]]
    // The first one shows nothing of the second record, and has an empty page after it.
    const pages = [
      ['7', page.slice(0, 2)],
      ['0', []],
    ]
    return pages[scans++] ?? ['0', page]
  }
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(1_000)
  assert.deepEqual(messages(it), [CLAIMED, CLEANED])
  assert.deepEqual([calls.length, scans], [2, 4])
})

test('a release that succeeds twice, because it was late, counts once', async () => {
  const { opened, open } = gate()
  const it = setUp(2, async (call) => (call === 1 ? opened : undefined))
  const { calls, clock, node, redis, survivor } = it
  let removals = 0
  const remove = redis.commands['HDEL']!
  redis.commands['HDEL'] = async (...args) => {
    if (args[0] === 'r0' && ++removals === 1) open()
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 10))
    return remove(...args)
  }
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(10_000)
  assert.deepEqual([calls.length, removals], [3, 2])
  assert.equal(node.lines.at(-1)?.['released'], 2)
})

test('one that leaves while it claims gives the claim back', async () => {
  const it = setUp(3)
  const { calls, clock, redis, survivor } = it
  const { opened, open } = gate()
  const leases: unknown[] = []
  redis.commands['CLAIM'] = async () => {
    await opened
    return '5'
  }
  redis.commands['EXTEND'] = () => leases.push('given back')
  survivor.onDead(['dead'], ALWAYS)
  await survivor.leave()
  survivor.onDead(['next'], ALWAYS)
  open()
  await clock.advance(1_000)
  assert.deepEqual([calls, leases, messages(it)], [[], ['given back'], [CLAIMED]])
  assert.equal(clock.pending, 0)
})

test('a claim that cannot be made is made when the node is named again', async () => {
  const it = setUp(3)
  const { clock, redis, survivor } = it
  redis.commands['CLAIM'] = () => assert.fail('no answer')
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(1_000)
  redis.commands['CLAIM'] = () => ''
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(1_000)
  redis.commands['CLAIM'] = () => '5'
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(1_000)
  assert.deepEqual(messages(it), [CLAIMED, CLEANED])
})

for (const count of [3, 20]) {
  test(`a node is named while ${count} of its records are released: nothing changes`, async () => {
    const { opened, open } = gate()
    const it = setUp(count, async () => opened)
    const { calls, clock, survivor } = it
    survivor.onDead(['dead'], ALWAYS)
    await clock.advance(100)
    survivor.onDead(['dead'], ALWAYS)
    await clock.advance(100)
    open()
    await clock.advance(100)
    assert.equal(calls.length, count)
    assert.deepEqual(messages(it), [CLAIMED, CLEANED])
  })
}
