import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { createCluster } from 'redis'
import { connectRedis } from '../../lib/redis/connect.js'
import type { Redis } from '../../lib/redis/redis.js'
import { CLUSTER_CLIENTS, type Connect } from '../support/redis/clients.js'
import { isOk, startCluster } from '../support/redis/redis-cluster.js'
import { logLines } from '../support/servers/log-lines.js'
import { patientClock } from '../support/time/patient-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

const KEYS = ['{a}', '{b}', '{c}', '{d}', '{e}'] as const

async function connected(t: TestContext, connect: Connect, port: number): Promise<Redis> {
  const { client, quit } = await connect(port)
  const redis = connectRedis(client, patientClock, Fastify(logLines().fastify).log)
  t.after(async () => {
    await redis.close()
    quit()
  })
  return redis
}

test('in a Redis Cluster', async (t) => {
  const servers = await startCluster(t)
  const ports = servers.map(({ port }) => port)
  for (const [index, [name, connect]] of Object.entries(CLUSTER_CLIENTS).entries()) {
    await t.test(`${name}: each key finds its shard, and all hear all channels`, async (t) => {
      const one = await connected(t, connect, ports[0]!)
      const other = await connected(t, connect, ports[1]!)
      for (const key of KEYS) {
        assert.equal(await one.command('SET', key, `1 ${key}`), 'OK')
        const lua = "return redis.call('GET', KEYS[1])"
        assert.equal(await other.run({ lua }, [key]), `1 ${key}`)
      }
      const heard: string[] = []
      await one.subscribe('six', (message) => heard.push(message))
      // Each goes to some shard, and that one does not know who hears the others.
      for (let i = 0; i < 6; i++) assert.notEqual(await other.publish('six', String(i)), 0)
      await until(() => heard.length >= 6)
      assert.deepEqual(heard.toSorted(), ['0', '1', '2', '3', '4', '5'])
    })

    await t.test(`${name}: a shard that was away is heard of`, async (t) => {
      const redis = await connected(t, connect, ports[0]!)
      let reconnects = 0
      redis.onReconnect(() => reconnects++)
      const heard: string[] = []
      // A channel of its own: shards pass on the last of these when whoever comes next listens already.
      await redis.subscribe('any', (message) => heard.push(message))
      await writeAll(redis)
      assert.equal(reconnects, 0)
      const server = servers[index % servers.length]!
      await server.kill()
      await server.start()
      for (const { port } of servers) await isOk(port)
      await writeAll(redis)
      assert.equal(reconnects, 1)
      await untilAsync(async () => {
        await redis.publish('any', '').catch(() => 0)
        return heard.length > 0
      })
    })
  }

  await t.test('a shard that is asked for the first time may be a new primary', async (t) => {
    const client = createCluster({
      rootNodes: [{ url: `redis://127.0.0.1:${ports[0]}` }],
      minimizeConnections: true,
    })
    await client.connect()
    const redis = connectRedis(client, patientClock, Fastify(logLines().fastify).log)
    t.after(async () => {
      await redis.close()
      client.destroy()
    })
    let reconnects = 0
    redis.onReconnect(() => reconnects++)
    await writeAll(redis)
    assert.equal(reconnects, 3)
    await writeAll(redis)
    assert.equal(reconnects, 3)
  })
})

/** Each key, as soon as its shard can be asked. */
async function writeAll(redis: Redis): Promise<void> {
  for (const key of KEYS) {
    await untilAsync(async () => (await redis.command('SET', key, 1).catch(() => '')) === 'OK')
  }
}
