import { test, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { CLIENTS, CLUSTER_CLIENTS, type Connect } from '../support/redis/clients.js'
import { names, startNode } from '../support/redis/nodes.js'
import { startCluster } from '../support/redis/redis-cluster.js'
import { startRedis } from '../support/redis/redis-server.js'
import { until } from '../support/time/timed.js'

const LEASE = 600

/** One that lives cleans up after one that is dead, and leaves. */
async function lives(t: TestContext, connect: Connect, port: number): Promise<void> {
  const one = await startNode(t, port, { lease: LEASE, client: await connect(port) })
  await until(() => one.node.isConnected)
  await one.redis.command('ZADD', names.nodes, 1, 'ghost')
  await until(() => one.count('done ghost') === 1)
  assert.notEqual(await one.redis.command('GET', names.sealOf('ghost')), null)
  await one.node.leave()
  assert.equal(await one.redis.command('ZCARD', names.nodes), 0)
  assert.equal(await one.redis.command('ZCARD', names.dead), 2)
  await one.redis.command('DEL', names.dead)
}

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name}: a node registers, cleans up after a dead one, and leaves`, async (t) => {
    const { port } = await startRedis(t)
    await lives(t, connect, port)
  })
}

test('in a Redis Cluster', async (t) => {
  const [{ port } = { port: 0 }] = await startCluster(t)
  for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
    await t.test(`${name}: a node registers, cleans up after a dead one, and leaves`, async (t) => {
      await lives(t, connect, port)
    })
  }
})
