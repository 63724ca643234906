import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dead, fence, info, LEASE, nodes, type Scripts, scripts } from '../support/redis/scripts.js'

const DAY = 86_400_000
/** How long this machine may stand still between two calls, in ms: the time is Redis's own. */
const SLACK = 20_000

/** A node whose lease has been over for another lease, and its survivor. */
async function withDead(t: TestContext): Promise<Scripts> {
  const redis = await scripts(t)
  await redis.renew('gone', '1')
  await redis.renew('here', '1')
  await redis.age(nodes, 'gone', 2 * LEASE + 1)
  return redis
}

test('RENEW registers a node, and tells who else lives', async (t) => {
  const redis = await scripts(t)
  const [leaseEnd, first, now, ...others] = await redis.renew('a', '1')
  assert.equal(leaseEnd, '')
  assert.match(first, /^\d{16}$/)
  assert.deepEqual(others, [[], [], []])
  const [, second, , live] = await redis.renew('b', '1')
  assert.ok(Number(second) > Number(first))
  assert.deepEqual(live, [['a', '{"of":"a"}']])
  const again = await redis.renew('a')
  assert.equal(Number(again[0]), now + LEASE)
  assert.equal(again[1], '')
  assert.deepEqual(again[3], [['b', '{"of":"b"}']])
})

test('OTHERS tells who else lives between two renewals, and writes nothing', async (t) => {
  const redis = await scripts(t)
  for (const node of ['gone', 'a', 'b']) await redis.renew(node, '1')
  await redis.age(nodes, 'gone', LEASE + 1)
  const before = await redis.command('ZRANGE', nodes, 0, -1, 'WITHSCORES')
  assert.deepEqual(await redis.others('a'), [['b', '{"of":"b"}']])
  assert.deepEqual(await redis.command('ZRANGE', nodes, 0, -1, 'WITHSCORES'), before)
})

test('RENEW: an info that Redis has lost is empty', async (t) => {
  const redis = await scripts(t)
  await redis.renew('a', '1')
  await redis.command('DEL', info)
  assert.deepEqual((await redis.renew('b'))[3], [['a', '{}']])
})

test('RENEW: a node whose lease is over lives no more, and may be claimed a lease later', async (t) => {
  const redis = await scripts(t)
  await redis.renew('gone', '1')
  await redis.age(nodes, 'gone', LEASE + 1)
  assert.deepEqual((await redis.renew('here')).slice(3), [[], [], []])
  await redis.age(nodes, 'gone', LEASE - SLACK)
  assert.deepEqual((await redis.renew('here')).slice(3), [[], [], []])
  await redis.age(nodes, 'gone', SLACK)
  assert.deepEqual((await redis.renew('here')).slice(3), [[], ['gone'], []])
})

test('RENEW: a node that was claimed, or has left, is told so, and changes nothing', async (t) => {
  const redis = await withDead(t)
  await redis.claim('gone')
  assert.deepEqual(await redis.renew('gone'), ['claimed'])
  assert.deepEqual(await redis.renew('gone', '1'), ['claimed'])
  await redis.done('here')
  assert.deepEqual(await redis.renew('here'), ['claimed'])
  assert.deepEqual(await redis.command('ZRANGE', nodes, 0, -1), [])
})

test('RENEW: Redis that was emptied has lost the lease, and no fence ever falls', async (t) => {
  const redis = await scripts(t)
  const [, before] = await redis.renew('a', '1')
  await redis.command('DEL', nodes)
  await redis.command('DEL', fence)
  const [leaseEnd, after] = await redis.renew('a', '1')
  assert.equal(leaseEnd, '')
  assert.ok(Number(after) > Number(before))
  // As if the clock of Redis had gone back: a failover to a machine whose clock is behind.
  const ahead = String(Number(after) + 3_600_000_000)
  await redis.command('SET', fence, ahead, 'PX', DAY)
  assert.equal((await redis.renew('a', '1'))[1], String(Number(ahead) + 1))
})

test('CLAIM: one of two that come at once has the node', async (t) => {
  const redis = await withDead(t)
  const registered = await redis.command('GET', fence)
  const claims = await Promise.all([redis.claim('gone'), redis.claim('gone')])
  assert.equal(claims.filter((each) => each === '').length, 1)
  const won = claims.find((each) => each !== '')
  assert.equal(await redis.command('HGET', info, 'claim:gone'), won)
  assert.ok(Number(won) > Number(registered))
  assert.deepEqual((await redis.renew('here')).slice(3), [[], [], []])
})

test('CLAIM: not a node that has renewed, is not expired for a lease, or is unknown', async (t) => {
  const redis = await withDead(t)
  await redis.renew('gone')
  assert.equal(await redis.claim('gone'), '')
  await redis.age(nodes, 'gone', 2 * LEASE - SLACK)
  assert.equal(await redis.claim('gone'), '')
  await redis.command('DEL', nodes)
  assert.equal(
    await redis.claim('gone'),
    '',
    'the Redis was emptied: who has not renewed yet may live',
  )
  assert.equal(await redis.claim('never'), '')
})

test('CLAIM: not when it was meant for earlier', async (t) => {
  const redis = await withDead(t)
  assert.equal(await redis.claim('gone', (await redis.now()) - LEASE / 3 - 1), '')
  assert.notEqual(await redis.claim('gone'), '')
})

test('CLAIM: not if Redis has lost the renewal of the survivor that has named the node', async (t) => {
  const redis = await withDead(t)
  const toldAt = await redis.now()
  assert.equal(await redis.claimUnseen('gone', toldAt), '', 'all of the survivor is lost')
  for (const lost of [-1, 1]) {
    await redis.command('ZADD', nodes, toldAt + LEASE - lost, 'survivor')
    assert.equal(await redis.claimUnseen('gone', toldAt), '', 'it has another lease')
  }
  await redis.command('ZADD', nodes, toldAt + LEASE, 'survivor')
  assert.notEqual(await redis.claimUnseen('gone', toldAt), '')
})

test('CLAIM: the node of a cleaner that died is found and claimed, with a greater fence', async (t) => {
  const redis = await withDead(t)
  const first = await redis.claim('gone')
  assert.equal(await redis.claim('gone'), '')
  await redis.age(dead, 'gone', LEASE + 1)
  assert.deepEqual((await redis.renew('here')).slice(3), [[], [], ['gone']])
  const second = await redis.claim('gone')
  assert.ok(Number(second) > Number(first))
  assert.equal(await redis.extend('gone', first), 0)
  assert.equal(await redis.done('gone', first), 0)
  assert.equal(await redis.extend('gone', second), 1)
  assert.equal(await redis.done('gone', second), 1)
})

test('EXTEND: makes the claim as long as a lease again, also when it was over', async (t) => {
  const redis = await withDead(t)
  const claim = await redis.claim('gone')
  for (const over of [LEASE / 2, 2 * LEASE]) {
    await redis.age(dead, 'gone', over)
    const before = await redis.now()
    assert.equal(await redis.extend('gone', claim), 1)
    const after = await redis.now()
    const extendedAt = Number(await redis.command('ZSCORE', dead, 'gone')) - LEASE
    assert.ok(before <= extendedAt && extendedAt <= after, String([before, extendedAt, after]))
  }
})

test('EXTEND: not a claim of which Redis knows nothing, nor one that is done', async (t) => {
  const redis = await withDead(t)
  const claim = await redis.claim('gone')
  await redis.done('gone', claim)
  assert.equal(await redis.extend('gone', claim), 0)
  await redis.command('DEL', dead)
  assert.equal(await redis.extend('gone', claim), 0)
  assert.deepEqual(await redis.command('ZRANGE', dead, 0, -1), [])
})

test('DONE: leaves a tombstone, and nothing else; twice is as good as once', async (t) => {
  const redis = await withDead(t)
  const claim = await redis.claim('gone')
  assert.equal(await redis.done('gone', claim), 1)
  const score = await redis.command('ZSCORE', dead, 'gone')
  assert.equal(await redis.done('gone', claim), 1)
  assert.equal(await redis.command('ZSCORE', dead, 'gone'), score)
  assert.deepEqual(await redis.command('HGETALL', info), ['here', '{"of":"here"}'])
  assert.deepEqual((await redis.renew('here')).slice(3), [[], [], []])
  assert.equal(await redis.claim('gone'), '')
})

test('DONE: a node that leaves is gone at once, unless it was claimed meanwhile', async (t) => {
  const redis = await withDead(t)
  assert.equal(await redis.done('here'), 1)
  assert.equal(await redis.done('here'), 1)
  assert.deepEqual((await redis.renew('other', '1')).slice(3), [[], ['gone'], []])
  const claim = await redis.claim('gone')
  assert.equal(await redis.done('gone'), 0)
  assert.equal(await redis.extend('gone', claim), 1, 'the survivor goes on')
})

test('DONE: drops tombstones that are older than a day, and no claim', async (t) => {
  const redis = await withDead(t)
  await redis.claim('gone')
  const now = await redis.now()
  await redis.command('ZADD', dead, -(now - DAY - 1_000), 'old', -(now - DAY + 60_000), 'new')
  await redis.done('here')
  assert.deepEqual(await redis.command('ZRANGE', dead, 0, -1), ['here', 'new', 'gone'])
})

test('all scripts, twice: as a client does that was cut off from the answer', async (t) => {
  const redis = await withDead(t)
  const [claim] = [await redis.claim('gone'), await redis.claim('gone')]
  const states: unknown[] = []
  const look = async (): Promise<void> => {
    states.push([
      await redis.command('ZRANGE', nodes, 0, -1),
      await redis.command('ZRANGE', dead, 0, -1),
      await redis.command('HGETALL', info),
    ])
  }
  for (const run of [
    async () => redis.renew('here'),
    async () => redis.extend('gone', claim),
    async () => redis.done('gone', claim),
    async () => redis.done('here'),
  ]) {
    await run()
    await look()
    await run()
    await look()
    assert.deepEqual(states.at(-1), states.at(-2))
  }
})
