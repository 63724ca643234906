import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGroups } from '../../lib/redis/keys.js'
import { randomFrom } from '../support/models/random.js'
import { CLIENTS } from '../support/redis/clients.js'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { turns } from '../support/time/fake-clock.js'
import { untilAsync } from '../support/time/timed.js'

test('a group stands in Redis as long as it has members, with its node, and has a TTL', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  const a = await TestNode.start(t, server, { id: 'a' })
  const b = await TestNode.start(t, server, { id: 'b' })
  a.presence.groupFormed('room')
  b.presence.groupFormed('room')
  b.presence.groupFormed('{other}')
  await untilAsync(async () => (await db.dbsize()) === 5)
  await untilAsync(async () => (await db.scard('wsl:{k:room}')) === 2)
  assert.deepEqual(await db.smembers('wsl:{k:{other}}'), ['b'])
  assert.deepEqual((await db.smembers('wsl:{n:b}:keys')).toSorted(), ['k:room', 'k:{other}'])
  for (const key of (await db.keys('*')).filter((key) => key !== 'wsl:{c}:nodes')) {
    const left = await db.pttl(key)
    assert.ok(left > 86_000_000 && left <= 86_400_000, `${key}: ${left}`)
  }
  b.presence.groupEmptied('room')
  b.presence.groupEmptied('{other}')
  await untilAsync(async () => (await db.dbsize()) === 3)
  assert.deepEqual(await db.smembers('wsl:{k:room}'), ['a'])
})

for (const name of ['ioredis 6', 'node-redis 6']) {
  test(`${name}: whatever comes and goes, also while lines are cut and Redis is lost, it ends as the groups do`, async (t) => {
    const server = await startRedis(t)
    const db = lookInto(t, server)
    const random = randomFrom(7)
    const connect = CLIENTS[name]
    assert.ok(connect)
    const nodes = [
      await TestNode.start(t, server, { id: 'a', connect }),
      await TestNode.start(t, server, { id: 'b', connect }),
    ]
    const keys = Array.from({ length: 12 }, (_, at) => `key ${at}`)
    const model = new Map(nodes.map((node) => [node, new Set<string>()]))
    for (let step = 0; step < 3_000; step++) {
      for (const [node, held] of model) {
        const key = keys[Math.floor(random() * keys.length)] ?? ''
        if (held.delete(key)) node.presence.groupEmptied(key)
        else {
          held.add(key)
          node.presence.groupFormed(key)
        }
      }
      if (random() < 0.3) await turns(Math.floor(random() * 20))
      if (random() < 0.01) await db.call('CLIENT', 'KILL', 'TYPE', 'normal')
      // Redis begins again with nothing.
      if (step === 1_000 || step === 2_500) await server.kill()
      if (step === 1_200 || step === 2_510) await server.start()
    }
    await untilAsync(async () => {
      const held = await Promise.all(keys.map(async (key) => db.smembers(`wsl:{k:${key}}`)))
      const own = await Promise.all(nodes.map(async ({ id }) => db.smembers(`wsl:{n:${id}}:keys`)))
      return (
        keys.every((key, at) => {
          const wanted = nodes.filter((node) => model.get(node)?.has(key)).map(({ id }) => id)
          return String(held[at]?.toSorted()) === String(wanted)
        }) &&
        nodes.every((node, at) => {
          const wanted = [...(model.get(node) ?? [])].map((key) => `k:${key}`)
          return String(own[at]?.toSorted()) === String(wanted.toSorted())
        })
      )
    })
  })
}

test('keys have 1 to 512 bytes, and a connection has at most 64', () => {
  checkGroups(['x', 'ü'.repeat(256), 'x'.repeat(512)], 64)
  refused([''], 1, /name of a group to have 1 to 512 bytes in UTF-8, got 0/)
  refused(['fine', 'x'.repeat(513)], 2, /got 513/)
  refused([`${'ü'.repeat(256)}x`], 1, /got 513/)
  refused(['x'], 65, /at most 64 groups, got 65/)
})

function refused(names: string[], count: number, message: RegExp): void {
  assert.throws(() => checkGroups(names, count), { code: 'FST_ERR_WSL_CLUSTER_KEY', message })
}
