import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { until, untilAsync } from '../support/time/timed.js'

type Take = () => Promise<string[]>

/**
 * Gives the calls that Redis has run for clients since the last time, by the name of the command. What looks into
 * this Redis itself is left out.
 *
 * Redis tells of calls on a connection of its own, so what one has run may be told of later than its effect is seen.
 * A mark is told of after all that was run before it.
 */
async function watch(t: TestContext, db: Ioredis): Promise<Take> {
  const calls: string[] = []
  let marks = 0
  let told = 0
  const monitor = await db.monitor()
  t.after(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, [name = '']: string[], source: string) => {
    if (/^echo$/i.test(name)) told++
    const isCall = source !== 'lua' && !/^(echo|exists|scard|ping|info)$/i.test(name)
    if (isCall) calls.push(name.toUpperCase())
  })
  return async () => {
    marks++
    await db.echo('mark')
    await until(() => told === marks)
    return calls.splice(0)
  }
}

test('a key costs 2 calls when its node gets the first member, 2 when it loses the last, and else none', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const node = await TestNode.start(t, server)
  const take = await watch(t, db)
  node.presence.groupFormed('room')
  await untilAsync(async () => (await db.exists('wsl:{k:room}')) === 1)
  assert.deepEqual(await take(), ['EVAL', 'EVAL'])
  node.presence.groupEmptied('room')
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  assert.deepEqual(await take(), ['SREM', 'EVAL'])
  // Of many at once, one of the two is shared.
  const names = Array.from({ length: 100 }, (_, at) => `g${at}`)
  for (const name of names) node.presence.groupFormed(name)
  await untilAsync(async () => (await db.exists(...names.map((name) => `wsl:{k:${name}}`))) === 100)
  assert.equal((await take()).length, 101)
  for (const name of names) node.presence.groupEmptied(name)
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  const { length } = await take()
  assert.ok(length < 120, `${length}`)
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
  const take = await watch(t, db)
  await a.requests.find('nobody')
  assert.deepEqual(await take(), ['SMEMBERS', 'EVAL'])
  const published = async (): Promise<number> => {
    const stats = await db.info('commandstats')
    return Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  assert.deepEqual(await a.requests.publish('room', 'x'), { nodes: 2, unreached: [] })
  assert.deepEqual(await take(), ['SMEMBERS', 'EVAL', 'EVAL'])
  assert.equal(await published(), 2)
  await a.requests.find('room')
  assert.deepEqual((await take()).toSorted(), ['EVAL', 'EVAL', 'PUBLISH', 'PUBLISH', 'SMEMBERS'])
  assert.equal(await published(), 2 + 2 + 2)
})

test('a place costs 2 calls to take and 2 to give back; to replace one on another node 4 more', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const [a, b] = [
    await TestNode.start(t, server, { id: 'a' }),
    await TestNode.start(t, server, { id: 'b' }),
  ]
  const take = await watch(t, db)
  const first = await a.places.takePlace('the server', 'u', 1, { giveWay(): void {} })
  assert.deepEqual(await take(), ['EVAL', 'EVAL'])
  const second = await b.places.takePlace('the server', 'u', 1, { giveWay: () => first.giveBack() })
  assert.deepEqual(await take(), ['EVAL', 'EVAL', 'EVAL', 'EVAL', 'PUBLISH', 'ZREM'])
  first.giveBack()
  second.giveBack()
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys', 'wsl:{n:b}:keys')) === 0)
  assert.deepEqual((await take()).toSorted(), ['EVAL', 'EVAL', 'ZREM', 'ZREM'])
})
