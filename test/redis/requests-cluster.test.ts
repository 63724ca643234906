import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLUSTER_CLIENTS } from '../support/redis/clients.js'
import { startCluster } from '../support/redis/redis-cluster.js'
import { TestNode } from '../support/redis/test-node.js'
import { until, untilAsync } from '../support/time/timed.js'

for (const [name, connect] of Object.entries(CLUSTER_CLIENTS)) {
  test(`${name}: in a Redis Cluster all is found, told, replaced and swept, whatever shard it is on`, async (t) => {
    const [server] = await startCluster(t)
    assert.ok(server)
    const nodes: TestNode[] = []
    // Their channels and keys are on different shards, and so are their lines.
    for (const id of ['a', 'b', 'c', 'd']) {
      nodes.push(await TestNode.start(t, server, { id, connect }))
    }
    const [a, b] = nodes as [TestNode, TestNode]
    for (const node of nodes) {
      node.members.add('room', `${node.id}1`)
      node.presence.groupFormed('room')
    }
    await untilAsync(async () => {
      const holders = (await a.redis.command('SMEMBERS', 'wsl:{k:room}')) as string[]
      return holders.length === nodes.length
    })
    const { found, unreached } = await b.requests.find('room')
    assert.deepEqual([found.length, unreached], [4, []])
    for (const node of nodes) {
      const told = await node.requests.publish('room', `from ${node.id}`)
      assert.deepEqual(told, { nodes: 4, unreached: [] })
    }
    const texts = ['a', 'b', 'c', 'd'].map((id) => `from ${id}`)
    await until(() => nodes.every(({ members }) => String(members.sent) === String(texts)))
    let isGone = false
    await a.places.takePlace('the server', 'user', 1, { giveWay: () => void (isGone = true) })
    await b.places.takePlace('the server', 'user', 1, { giveWay(): void {} })
    assert.equal(isGone, true)
    assert.deepEqual(await a.requests.close('room'), { closed: 4, unreached: [] })
    for (const node of nodes) await node.keeper.leave()
    assert.equal(await a.redis.command('EXISTS', 'wsl:{k:room}'), 0)
    assert.equal(await a.redis.command('EXISTS', 'wsl:{p:the server:user}'), 0)
  })
}

test('a node that hears nothing is found out by its answer alone', async (t) => {
  const [server] = await startCluster(t)
  const connect = CLUSTER_CLIENTS['ioredis 6']
  assert.ok(server && connect)
  const a = await TestNode.start(t, server, { id: 'a', connect })
  await a.redis.command('SADD', 'wsl:{k:room}', 'deaf')
  await a.redis.command('ZADD', a.names.nodes, 9e15, 'deaf')
  assert.deepEqual(await a.requests.publish('room', 'x'), { nodes: 0, unreached: ['deaf'] })
})
