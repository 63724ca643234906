import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import { HOLD } from '../../lib/redis/scripts/hold.js'
import { HeldRedis } from '../support/redis/held-redis.js'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, type NodeSetup, TestNode } from '../support/redis/test-node.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { soon, until, untilAsync } from '../support/time/timed.js'

interface Setup {
  readonly clock: FakeClock
  readonly db: Ioredis
  readonly node: TestNode
  readonly redis: HeldRedis
  /** One more node. */
  readonly start: (setup: NodeSetup) => Promise<TestNode>
}

async function setUp(t: TestContext): Promise<Setup> {
  const server = await startRedis(t)
  const clock = new FakeClock()
  let held: HeldRedis | undefined
  const node = await TestNode.start(t, server, {
    clock,
    through: (redis) => (held = new HeldRedis(redis)),
  })
  assert.ok(held)
  held.calls.length = 0
  const start = async (setup: NodeSetup): Promise<TestNode> => TestNode.start(t, server, setup)
  return { clock, db: lookInto(t, server), node, redis: held, start }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `g${at}`)

/** How many of the groups stand in Redis. */
async function held(db: Ioredis): Promise<number> {
  return (await db.keys('wsl:{k:*}')).length
}

test('a group that comes and goes within 5 ms costs nothing', async (t) => {
  const { clock, db, node, redis } = await setUp(t)
  for (const name of names(100)) node.presence.groupFormed(name)
  for (const name of names(99)) node.presence.groupEmptied(name)
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 1)
  assert.equal(redis.calls.length, 2)
  assert.deepEqual(await db.smembers('wsl:{n:a}:keys'), ['k:g99'])
})

test('what Redis has lost is written again, 1,000 a second', async (t) => {
  const { clock, db, node } = await setUp(t)
  for (const name of names(250)) node.presence.groupFormed(name)
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 250)
  await db.flushall()
  node.keeper.writeAgain()
  // Who asks twice does not get it faster.
  node.keeper.writeAgain()
  await clock.advance(5)
  for (const expected of [100, 200, 250]) {
    await clock.advance(95)
    await clock.advance(5)
    await untilAsync(async () => (await held(db)) === expected)
    await turns()
    assert.equal(await held(db), expected)
  }
  assert.equal(await db.scard('wsl:{n:a}:keys'), 250)
})

test('each hour all is refreshed, 100 a second, so no TTL is reached', async (t) => {
  const { clock, db, node, redis } = await setUp(t)
  for (const name of names(25)) node.presence.groupFormed(name)
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 25)
  for (const key of await db.keys('*')) await db.pexpire(key, 50_000)
  redis.calls.length = 0
  await clock.advance(3_600_000)
  const refreshed = async (): Promise<number> => {
    const left = await Promise.all(names(25).map(async (name) => db.pttl(`wsl:{k:${name}}`)))
    return left.filter((ms) => ms > 86_000_000).length
  }
  for (const expected of [10, 20, 25]) {
    await clock.advance(95)
    await clock.advance(5)
    await untilAsync(async () => (await refreshed()) === expected)
  }
  assert.ok((await db.pttl('wsl:{n:a}:keys')) > 86_000_000)
  assert.equal(redis.calls.length, 3 + 25)
})

test('without Redis nothing is asked and nothing piles up; later all is as it should be', async (t) => {
  const { clock, db, node, redis } = await setUp(t)
  node.presence.groupFormed('left')
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 1)
  await until(() => node.keeper.find('k:left')?.isRunning === false)
  redis.calls.length = 0
  node.isConnected = false
  node.presence.groupEmptied('left')
  for (const name of names(5_000)) {
    node.presence.groupFormed(name)
    node.presence.groupEmptied(name)
  }
  node.presence.groupFormed('new')
  await clock.advance(10_000)
  assert.equal(redis.calls.length, 0)
  assert.equal(node.keeper.find('k:g0'), undefined)
  node.isConnected = true
  await clock.advance(100)
  await soon(clock, async () => String(await db.keys('wsl:{k:*}')) === 'wsl:{k:new}')
  await soon(clock, async () => String(await db.smembers('wsl:{n:a}:keys')) === 'k:new')
  assert.ok(redis.calls.length <= 5, `${redis.calls.length}`)
})

test('what Redis refuses is tried again, and logged once', async (t) => {
  const { clock, db, node } = await setUp(t)
  await db.config('SET', 'maxmemory', '1')
  for (const name of names(3)) node.presence.groupFormed(name)
  await clock.advance(5)
  const marks = names(3).map((name) => `k:${name}`)
  const haveFailed = (): boolean =>
    marks.every((mark) => node.keeper.find(mark)?.isRunning === false)
  await until(haveFailed)
  await clock.advance(100)
  await clock.advance(5)
  await until(haveFailed)
  assert.equal(node.lines.length, 1)
  assert.match(JSON.stringify(node.lines[0]), /could not be written to Redis/)
  await db.config('SET', 'maxmemory', '0')
  await soon(clock, async () => (await held(db)) === 3)
})

test('a call that a client has held, and makes when it is no longer true, is taken back when somebody asks', async (t) => {
  const { clock, db, node, redis, start } = await setUp(t)
  const other = await start({ id: 'b' })
  redis.holds = (what) => what === HOLD
  node.presence.groupFormed('room')
  await clock.advance(5)
  await until(() => redis.calls.includes(HOLD))
  node.presence.groupEmptied('room')
  await until(() => redis.calls.includes('SREM'))
  await soon(clock, async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  await redis.release()
  assert.deepEqual(await db.smembers('wsl:{k:room}'), ['a'])
  assert.deepEqual(await other.requests.find('room'), { found: [], unreached: [] })
  await untilAsync(async () => (await db.exists('wsl:{k:room}')) === 0)
})

test('a node that was claimed writes nothing under its old name, and all under the new one', async (t) => {
  const { clock, db, node } = await setUp(t)
  node.presence.groupFormed('before')
  node.presence.groupFormed('gone')
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 2)
  await db.set('wsl:{n:a}:sealed', '7')
  node.presence.groupFormed('since')
  node.presence.groupEmptied('gone')
  await clock.advance(5)
  await untilAsync(async () => (await held(db)) === 1)
  await clock.advance(2_000)
  assert.equal(await db.exists('wsl:{k:since}'), 0)
  assert.equal(await db.scard('wsl:{n:a}:keys'), 2)
  await node.fenceAs('a2')
  await clock.advance(100)
  await clock.advance(5)
  await untilAsync(async () => (await db.scard('wsl:{n:a2}:keys')) === 2)
  await untilAsync(async () => (await db.exists('wsl:{k:since}')) === 1)
  assert.deepEqual((await db.smembers('wsl:{k:before}')).toSorted(), ['a', 'a2'])
  // The old one is the survivor's.
  assert.equal(await db.scard('wsl:{n:a}:keys'), 2)
})

test('a new name that comes between two calls is not mixed with the old one', async (t) => {
  const { clock, db, node } = await setUp(t)
  node.presence.groupFormed('room')
  node.id = 'a2'
  await clock.advance(5)
  await untilAsync(async () => (await db.exists('wsl:{n:a2}:keys')) === 1)
  await until(() => node.keeper.find('k:room')?.isRunning === false)
  assert.equal(await db.exists('wsl:{k:room}'), 0)
  node.keeper.writeAgain()
  await soon(clock, async () => String(await db.smembers('wsl:{k:room}')) === 'a2')
})

test('a node that leaves takes all out of Redis, also what is being written, and has no timer left', async (t) => {
  const { clock, db, node, redis } = await setUp(t)
  for (const name of names(600)) node.presence.groupFormed(name)
  await until(() => redis.calls.length === 1)
  const left = node.keeper.leave()
  node.presence.groupFormed('too late')
  node.presence.groupEmptied('g1')
  await clock.advance(5)
  await left
  node.keeper.writeAgain()
  await clock.advance(3_600_000)
  assert.deepEqual(await db.keys('*'), ['wsl:{c}:nodes'])
  // Only the connection that hears looks after itself.
  assert.equal(clock.pending, 1)
})
