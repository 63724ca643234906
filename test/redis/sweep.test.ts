import assert from 'node:assert/strict'
import { test } from 'node:test'
import { markOfGroup, markOfPlace, memberOf, sweepKeys } from '../../lib/redis/sweep.js'
import { HeldRedis } from '../support/redis/held-redis.js'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { untilAsync } from '../support/time/timed.js'

test('takes a dead node out of all its groups and places, and nobody else; tried again it goes on', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const [a, dead] = [
    await TestNode.start(t, server, { id: 'a' }),
    await TestNode.start(t, server, { id: 'dead' }),
  ]
  const groups = ['plain', 'with: colons', '{braces}', 'line\nfeed', 'k:p:k']
  const many = Array.from({ length: 1_000 }, (_, at) => `group ${at}`)
  for (const name of [...groups, ...many]) dead.presence.groupFormed(name)
  a.presence.groupFormed('plain')
  const owner = { giveWay(): void {} }
  await a.places.takePlace('route /x/:id', 'user:1', 5, owner)
  await dead.places.takePlace('route /x/:id', 'user:1', 5, owner)
  await untilAsync(async () => (await db.scard('wsl:{n:dead}:keys')) === 1_006)
  await untilAsync(async () => (await db.keys('wsl:{k:*}')).length === 1_005)
  // What a later version may keep is of no use to anybody when its node is swept.
  await db.sadd('wsl:{n:dead}:keys', 'x:unknown')
  const failing = new HeldRedis(a.redis)
  let left = 300
  failing.holds = (what) => what === 'SREM' && left-- === 0
  await assert.rejects(sweepKeys(failing, a.names, 'dead'), {
    code: 'FST_ERR_WSL_CLUSTER_UNAVAILABLE',
  })
  assert.ok((await db.scard('wsl:{n:dead}:keys')) > 0)
  await sweepKeys(a.redis, a.names, 'dead')
  assert.equal(await db.exists('wsl:{n:dead}:keys'), 0)
  assert.deepEqual(await db.keys('wsl:{k:*}'), ['wsl:{k:plain}'])
  assert.deepEqual(await db.smembers('wsl:{k:plain}'), ['a'])
  assert.deepEqual(await db.zrange('wsl:{p:route /x/:id:user:1}', '0', '-1'), ['a.1'])
  await sweepKeys(a.redis, a.names, 'nobody')
})

test('marks and members', () => {
  assert.equal(markOfGroup('a:b'), 'k:a:b')
  assert.equal(markOfPlace('1z', 'wsl:{p:the server:u}'), 'p:1z:wsl:{p:the server:u}')
  assert.equal(memberOf('node', '1z'), 'node.1z')
})
