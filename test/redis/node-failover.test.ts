import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineTo } from '../support/redis/line.js'
import { names, startNode } from '../support/redis/nodes.js'
import { startRedis, tell } from '../support/redis/redis-server.js'
import { until, untilAsync } from '../support/time/timed.js'

const LEASE = 1_500

test('a failover that loses writes: nobody is claimed, all write again, no fence comes twice', async (t) => {
  const primary = await startRedis(t, '--repl-diskless-sync-delay', '0')
  const replica = await startRedis(t)
  const line = await lineTo(t, primary.port)
  await tell(replica.port, `REPLICAOF 127.0.0.1 ${primary.port}`)
  const one = await startNode(t, line.port, { lease: LEASE })
  const two = await startNode(t, line.port, { lease: LEASE })
  await until(() => one.node.others.size === 1 && two.node.others.size === 1)
  await untilAsync(async () => (await tell(replica.port, `ZCARD ${names.nodes}`)) === ':2\r\n')

  // From here on the replica gets nothing more: two leases are lost, and a node that is new.
  await tell(replica.port, 'REPLICAOF NO ONE')
  const lost = await startNode(t, line.port, { lease: LEASE })
  await until(() => one.node.others.size === 2 && two.node.others.size === 2)
  const since = performance.now()
  await until(() => performance.now() - since > 2 * LEASE)
  assert.equal(await tell(replica.port, `ZCARD ${names.nodes}`), ':2\r\n')
  const nodes = [one, two, lost]
  // Unless this machine stood still for a lease.
  await until(() => nodes.every(({ count }) => count('write') === 1 + count('cut off')))
  const before = nodes.map(({ count }) => count('write'))

  line.cut()
  await primary.kill()
  line.mend(replica.port)
  await until(() => nodes.every(({ count }, at) => count('write') > before[at]!))
  await until(() => nodes.every(({ node }) => node.isConnected && node.others.size === 2))
  const late = await startNode(t, line.port, { lease: LEASE })
  await until(() => late.node.isConnected)
  assert.ok(nodes.every(({ node }) => node.fence < late.node.fence))

  await tell(replica.port, `ZADD ${names.nodes} 1 ghost`)
  const claimed = (): string[] =>
    [...nodes, late].flatMap(({ told }) => told.filter((each) => each.startsWith('claimed')))
  await until(() => claimed().length > 0)
  assert.deepEqual(claimed(), ['claimed ghost'])
  assert.ok(nodes.every(({ told }) => !told.includes('fenced')))
})
