import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { until, untilAsync } from '../support/time/timed.js'

/** The calls that clients make, by the name of the command. What looks into this Redis itself is left out. */
async function watch(t: TestContext, db: Ioredis): Promise<string[]> {
  const calls: string[] = []
  const monitor = await db.monitor()
  t.after(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, [name = '']: string[], source: string) => {
    const isCall = source !== 'lua' && !/^(exists|scard|ping|info)$/i.test(name)
    if (isCall) calls.push(name.toUpperCase())
  })
  return calls
}

test('a key costs 2 calls when its node gets the first member, 2 when it loses the last, and else none', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const node = await TestNode.start(t, server)
  const calls = await watch(t, db)
  node.presence.groupFormed('room')
  await untilAsync(async () => (await db.exists('wsl:{k:room}')) === 1)
  await until(() => calls.length === 2)
  assert.deepEqual(calls.splice(0), ['EVAL', 'EVAL'])
  node.presence.groupEmptied('room')
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  assert.deepEqual(calls.splice(0), ['SREM', 'EVAL'])
  // Of many at once, one of the two is shared.
  const names = Array.from({ length: 100 }, (_, at) => `g${at}`)
  for (const name of names) node.presence.groupFormed(name)
  await until(() => calls.length === 101)
  for (const name of names) node.presence.groupEmptied(name)
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  assert.ok(calls.length < 101 + 120, `${calls.length}`)
})

test('an operation costs 3 calls, whoever many nodes it asks, and one PUBLISH for each node, and each answer', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const [a, ...others] = [
    await TestNode.start(t, server, { id: 'a' }),
    await TestNode.start(t, server, { id: 'b' }),
    await TestNode.start(t, server, { id: 'c' }),
  ]
  for (const { members } of others) members.add('room', 'x')
  await db.sadd('wsl:{k:room}', 'b', 'c')
  const calls = await watch(t, db)
  await a.requests.find('nobody')
  await until(() => calls.length === 2)
  assert.deepEqual(calls.splice(0), ['SMEMBERS', 'EVAL'])
  const published = async (): Promise<number> => {
    const stats = await db.info('commandstats')
    return Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  assert.deepEqual(await a.requests.publish('room', 'x'), { nodes: 2, unreached: [] })
  await until(() => calls.length === 3)
  assert.deepEqual(calls.splice(0), ['SMEMBERS', 'EVAL', 'EVAL'])
  assert.equal(await published(), 2)
  await a.requests.find('room')
  await until(() => calls.length === 5)
  assert.deepEqual(calls.toSorted(), ['EVAL', 'EVAL', 'PUBLISH', 'PUBLISH', 'SMEMBERS'])
  assert.equal(await published(), 2 + 2 + 2)
})

test('a place costs 2 calls to take and 2 to give back; to replace one on another node 4 more', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const [a, b] = [
    await TestNode.start(t, server, { id: 'a' }),
    await TestNode.start(t, server, { id: 'b' }),
  ]
  const calls = await watch(t, db)
  const first = await a.places.takePlace('the server', 'u', 1, { giveWay(): void {} })
  await until(() => calls.length === 2)
  assert.deepEqual(calls.splice(0), ['EVAL', 'EVAL'])
  const second = await b.places.takePlace('the server', 'u', 1, { giveWay: () => first.giveBack() })
  await until(() => calls.length === 6)
  assert.deepEqual(calls.splice(0), ['EVAL', 'EVAL', 'EVAL', 'EVAL', 'PUBLISH', 'ZREM'])
  first.giveBack()
  second.giveBack()
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys', 'wsl:{n:b}:keys')) === 0)
  await until(() => calls.length === 4)
  assert.deepEqual(calls.toSorted(), ['EVAL', 'EVAL', 'ZREM', 'ZREM'])
})
