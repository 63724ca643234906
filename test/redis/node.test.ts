import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { Redis as Ioredis } from 'ioredis'
import type { Claims } from '../../lib/redis/claims.js'
import { lineTo } from '../support/redis/line.js'
import { names, startNode, type TestNode } from '../support/redis/nodes.js'
import { type RedisServer, startRedis, startRedisAt, tell } from '../support/redis/redis-server.js'
import { freePort } from '../../examples/cluster/free-port.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const LEASE = 1_500

async function crowd(t: TestContext, port: number, count: number): Promise<TestNode[]> {
  const nodes = await Promise.all(
    Array.from({ length: count }, async () => startNode(t, port, { lease: LEASE })),
  )
  await until(() => nodes.every(({ node }) => node.others.size === count - 1))
  return nodes
}

/** One that knows the other, and is known. */
async function beside(t: TestContext, port: number, other: TestNode): Promise<TestNode> {
  const one = await startNode(t, port, { lease: LEASE })
  await until(() => one.node.others.has(other.node.id) && other.node.others.has(one.node.id))
  return one
}

/** Waits until the nodes claim whoever is dead, by one who is. Returns whom else they have claimed. */
async function claimedBeside(nodes: readonly TestNode[], { port }: RedisServer): Promise<string[]> {
  const ghost = `ghost-${randomUUID()}`
  await tell(port, `ZADD ${names.nodes} 1 ${ghost}`)
  const claimed = (): string[] =>
    nodes.flatMap(({ told }) => told.filter((each) => each.startsWith('claimed')))
  await until(() => claimed().includes(`claimed ${ghost}`))
  return claimed().filter((each) => !each.startsWith('claimed ghost-'))
}

/**
 * Resolves once each has written again, since this was called. A machine that stands still for a lease makes nodes write
 * too, so how often is no matter.
 */
async function allWriteAgain(nodes: readonly TestNode[]): Promise<void> {
  const before = nodes.map(({ count }) => count('write'))
  await until(() => nodes.every(({ count }, at) => count('write') > before[at]!))
}

test('nodes register, know each other, and leave at once', async (t) => {
  const server = await startRedis(t)
  const one = await startNode(t, server.port, { lease: LEASE, address: 'http://10.0.0.1:3000' })
  assert.equal(one.node.isConnected, false)
  assert.match(one.node.id, /^[\w-]{12}$/)
  await until(() => one.node.isConnected)
  assert.deepEqual(one.told.slice(0, 2), [`enter ${one.node.id}`, 'write'])
  const two = await startNode(t, server.port, { lease: LEASE })
  await until(() => two.node.isConnected && two.node.others.has(one.node.id))
  assert.ok(two.node.fence > one.node.fence && one.node.fence > 1_600_000_000_000_000)
  assert.deepEqual(
    [...two.node.others],
    [[one.node.id, { address: 'http://10.0.0.1:3000', formerly: [] }]],
  )
  await until(() => one.node.others.has(two.node.id))
  await two.node.leave()
  assert.equal(two.node.isConnected, false)
  assert.equal(two.told.at(-1), 'leave')
  await until(() => !one.node.others.has(two.node.id))
  await one.node.leave()
  // A tombstone each, and the last fence.
  assert.equal(await tell(server.port, 'DBSIZE'), ':2\r\n')
  assert.equal(await tell(server.port, `ZCARD ${names.dead}`), ':2\r\n')
})

test('Redis stands still for more than three leases: nobody is claimed', async (t) => {
  const server = await startRedis(t)
  const nodes = await crowd(t, server.port, 3)
  assert.deepEqual(await claimedBeside(nodes, server), [])
  server.pause()
  await until(() => nodes.every(({ node }) => !node.isConnected))
  // As long again: until somebody could have claimed.
  const since = performance.now()
  await until(() => performance.now() - since > 2.5 * LEASE)
  assert.ok(nodes.every(({ node }) => !node.isConnected))
  const written = allWriteAgain(nodes)
  server.resume()
  await written
  await until(() => nodes.every(({ node }) => node.isConnected))
  assert.deepEqual(await claimedBeside(nodes, server), [])
  for (const { count, lines } of nodes) {
    assert.equal(count('fenced'), 0)
    assert.ok(count('cut off') >= 1)
    const cuts = lines.filter(({ msg }) => /not reached|reaches Redis again/.test(String(msg)))
    assert.equal(cuts.length, 2 * count('cut off'))
  }
})

test('a node that is cut off from Redis alone is claimed, and goes on under a new name', async (t) => {
  const server = await startRedis(t)
  const line = await lineTo(t, server.port)
  const away = await startNode(t, line.port, { lease: LEASE, address: 'http://10.0.0.9:3000' })
  const here = await beside(t, server.port, away)
  const { id, fence } = away.node
  const before = away.count('cut off')
  line.cut()
  await until(() => away.count('cut off') > before)
  assert.equal(away.node.isConnected, false)
  assert.equal(here.count(`claimed ${id}`), 0, 'it knows before anybody may claim it')
  await until(() => here.count(`done ${id}`) === 1)
  assert.equal(await tell(server.port, `EXISTS ${names.sealOf(id)}`), ':1\r\n')
  assert.equal(away.count('fenced'), 0)
  line.mend()
  await until(() => away.node.isConnected)
  assert.notEqual(away.node.id, id)
  assert.ok(away.node.fence > fence)
  assert.deepEqual(away.told.slice(-3), ['fenced', `enter ${away.node.id}`, 'write'])
  assert.ok(away.node.isNamed(id) && away.node.isNamed(away.node.id) && !away.node.isNamed('x'))
  await until(() => here.node.others.has(away.node.id))
  const info = { address: 'http://10.0.0.9:3000', formerly: [id] }
  assert.deepEqual(here.node.others.get(id), info)
  assert.deepEqual(here.node.others.get(away.node.id), info)
})

test('Redis is emptied: nobody is claimed, and each node writes again with its next renewal', async (t) => {
  const server = await startRedis(t)
  const nodes = await crowd(t, server.port, 3)
  const ids = nodes.map(({ node }) => node.id)
  assert.deepEqual(await claimedBeside(nodes, server), [])
  const written = allWriteAgain(nodes)
  await tell(server.port, 'FLUSHALL')
  await written
  assert.deepEqual(await claimedBeside(nodes, server), [])
  assert.deepEqual(
    nodes.map(({ node }) => node.id),
    ids,
  )
})

test('Redis is killed and started anew: each node registers and writes again', async (t) => {
  const server = await startRedis(t)
  const nodes = await crowd(t, server.port, 3)
  await server.kill()
  const written = allWriteAgain(nodes)
  await server.start()
  await written
  await until(() => nodes.every(({ node }) => node.others.size === 2 && node.isConnected))
  assert.deepEqual(await claimedBeside(nodes, server), [])
})

test('Redis is away at the start: a node registers as soon as it can', async (t) => {
  const port = await freePort()
  const client = new Ioredis({ port })
  client.on('error', () => {})
  const quit = (): void => client.disconnect()
  const late = await startNode(t, port, { lease: LEASE, client: { client, quit } })
  await until(() => late.count('cut off') === 1)
  assert.equal(late.node.isConnected, false)
  assert.ok(late.lines.some(({ msg }) => String(msg).startsWith('this node has not reached Redis')))
  await startRedisAt(t, port)
  await until(() => late.node.isConnected)
  assert.equal(late.count('write'), 1)
  assert.ok(late.lines.some(({ msg }) => String(msg).startsWith('this node reaches Redis again')))
})

test('a node leaves, also if Redis is gone', async (t) => {
  const server = await startRedis(t)
  const one = await startNode(t, server.port, { lease: LEASE })
  await until(() => one.node.isConnected)
  server.pause()
  await one.node.leave()
  assert.match(String(one.lines.at(-1)?.['msg']), /^this node has left something in Redis/)
  server.resume()
})

test('a node whose part leaves something behind is not taken out: others clean up after it', async (t) => {
  const server = await startRedis(t)
  const one = await startNode(t, server.port, { lease: LEASE })
  one.node.add({
    writeAgain() {},
    fenced() {},
    cutOff() {},
    leave: async () => Promise.reject(new Error('a release has failed')),
  })
  const other = await beside(t, server.port, one)
  await one.node.leave()
  assert.match(JSON.stringify(one.lines), /a release has failed/)
  await until(() => other.count(`done ${one.node.id}`) === 1)
})

test('a cleaner that stops in the middle: another one goes on, with a greater fence', async (t) => {
  const server = await startRedis(t)
  const fences: number[] = []
  const opening = gate()
  let isLost: boolean | undefined
  const clean = async (dead: string, fence: number, claims: Claims): Promise<void> => {
    fences.push(fence)
    if (fences.length > 1) return
    await opening.opened
    isLost = !(await claims.extend(dead, fence))
  }
  const options = { lease: LEASE, clean }
  const one = await startNode(t, server.port, options)
  const two = await startNode(t, server.port, options)
  await until(() => one.node.isConnected && two.node.isConnected)
  await tell(server.port, `ZADD ${names.nodes} 1 ghost`)
  await until(() => one.count('done ghost') + two.count('done ghost') === 1)
  assert.ok(fences[1]! > fences[0]!)
  opening.open()
  await until(() => isLost !== undefined)
  assert.ok(isLost)
})
