import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import type { Redis } from '../../lib/redis/redis.js'
import { systemClock } from '../../lib/time/clock.js'
import { CLIENTS } from '../support/redis/clients.js'
import { HeldRedis } from '../support/redis/held-redis.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { patientClock } from '../support/time/patient-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

/** Has members, also as Redis knows it. */
async function gives(db: Ioredis, node: TestNode, key: string, ...ids: string[]): Promise<void> {
  node.members.add(key, ...ids)
  node.presence.groupFormed(key)
  await untilAsync(async () => (await db.sismember(`wsl:{k:${key}}`, node.id)) === 1)
}

function bytesOf({ members }: TestNode, at: number): Uint8Array {
  const data = members.sent[at]
  assert.ok(data instanceof Uint8Array)
  return data
}

function option(message: RegExp): object {
  return { code: 'FST_ERR_WSL_INVALID_OPTION', message }
}

function key(message: RegExp): object {
  return { code: 'FST_ERR_WSL_CLUSTER_KEY', message }
}

/** An argument of an app without types. */
function wrong(value: unknown): never {
  return value as never
}

interface Nodes {
  readonly server: RedisServer
  readonly db: Ioredis
  readonly a: TestNode
  readonly b: TestNode
  readonly c: TestNode
}

/** Three nodes; two have members of `room`, and the third of something else. */
async function threeNodes(
  t: TestContext,
  connect = CLIENTS['ioredis 6'],
  clock = patientClock,
): Promise<Nodes> {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  assert.ok(connect)
  const [a, b, c] = [
    await TestNode.start(t, server, { id: 'a', connect, clock }),
    await TestNode.start(t, server, { id: 'b', connect, clock }),
    await TestNode.start(t, server, { id: 'c', connect, clock }),
  ]
  await gives(db, a, 'room', 'a1')
  await gives(db, b, 'room', 'b1', 'b2')
  await gives(db, c, 'other', 'c1')
  return { server, db, a, b, c }
}

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name}: finds, tells and closes all of a key, from any node`, async (t) => {
    const { a, b, c } = await threeNodes(t, connect)
    for (const node of [a, b, c]) {
      const { found, unreached } = await node.requests.find('room')
      assert.deepEqual(found.map((one) => `${one.node} ${one.id}`).toSorted(), [
        'a a1',
        'b b1',
        'b b2',
      ])
      assert.deepEqual(unreached, [])
      const told = await node.requests.publish('room', `from ${node.id} 💬\n"`)
      assert.deepEqual(told, { nodes: 2, unreached: [] })
    }
    const sent = ['a', 'b', 'c'].map((id) => `from ${id} 💬\n"`)
    await until(() => a.members.sent.length === 3 && b.members.sent.length === 3)
    assert.deepEqual(a.members.sent, sent)
    assert.deepEqual(b.members.sent, sent)
    await a.requests.publish('room', new Uint8Array([0, 255, 128]))
    await until(() => b.members.sent.length === 4)
    assert.deepEqual([...bytesOf(b, 3)], [0, 255, 128])
    assert.deepEqual(c.members.sent, [])
    const closed = await c.requests.close('room', 4001, 'over')
    assert.deepEqual(closed, { closed: 3, unreached: [] })
    assert.deepEqual(b.members.closed, [{ key: 'room', code: 4001, reason: 'over' }])
    assert.deepEqual(await b.requests.close('other'), { closed: 1, unreached: [] })
    assert.deepEqual(c.members.closed.at(-1), { key: 'other', code: 1000, reason: '' })
    assert.deepEqual(await a.requests.close('nobody'), { closed: 0, unreached: [] })
    assert.deepEqual(await a.requests.publish('nobody', ''), { nodes: 0, unreached: [] })
  })
}

test('nodes that are dead or unknown are not asked; those that are alive and do not answer are named', async (t) => {
  const { server, db } = await threeNodes(t)
  const clock = new FakeClock()
  const asker = await TestNode.start(t, server, { id: 'asker', clock })
  await db.sadd('wsl:{k:room}', 'dead', 'unknown', 'frozen', 'deaf')
  await db.zadd('wsl:{c}:nodes', 1, 'dead', 9e15, 'frozen', 9e15, 'deaf')
  const frozen = lookInto(t, server)
  const heard: string[] = []
  const answers: string[] = []
  frozen.on('message', (channel: string, message: string) => {
    if (channel === 'wsl:n:asker') answers.push(message)
    else heard.push(message)
  })
  await frozen.subscribe('wsl:n:frozen', 'wsl:n:dead', 'wsl:n:asker')
  const finding = asker.requests.find('room')
  await until(() => heard.length === 1 && answers.length === 2)
  await clock.advance(1_999)
  let isOver = false
  void finding.then(() => (isOver = true))
  await untilAsync(async () => (await db.ping()) === 'PONG')
  assert.equal(isOver, false)
  await clock.advance(1)
  const { found, unreached } = await finding
  assert.equal(found.length, 3)
  assert.deepEqual(unreached.toSorted(), ['deaf', 'frozen'])
  const closing = asker.requests.close('room')
  await until(() => heard.length === 2 && answers.length === 4)
  // What was answered has been written to all who hear it, before Redis reads the next command.
  await db.ping()
  await clock.advance(2_000)
  const { closed, unreached: notClosed } = await closing
  assert.equal(closed, 3)
  assert.deepEqual(notClosed.toSorted(), ['deaf', 'frozen'])
  // It hears, and that is all that is known.
  const told = await asker.requests.publish('room', 'x')
  assert.deepEqual(told, { nodes: 3, unreached: ['deaf'] })
  assert.equal(clock.pending, 2, 'of the keeper, and of the connection that hears')
})

test('an operation rejects without Redis; this node has done its part', async (t) => {
  const { server, a, b } = await threeNodes(t, undefined, systemClock)
  await server.kill()
  const unavailable = { code: 'FST_ERR_WSL_CLUSTER_UNAVAILABLE', statusCode: 503 }
  const refused = [
    assert.rejects(a.requests.publish('room', 'hello'), unavailable),
    assert.rejects(a.requests.close('room', 1001), unavailable),
    assert.rejects(a.requests.find('room'), unavailable),
  ]
  assert.deepEqual(a.members.sent, ['hello'])
  assert.deepEqual(a.members.closed, [{ key: 'room', code: 1001, reason: '' }])
  await Promise.all(refused)
  assert.deepEqual(b.members.sent, [])
})

test('wrong arguments are refused before anything is done', async (t) => {
  const { a } = await threeNodes(t)
  const { requests, members } = a
  const long = 'x'.repeat(513)
  await assert.rejects(
    requests.find(wrong(7)),
    option(/`key` to be a string, got 7, in websocketCluster.find/),
  )
  await assert.rejects(requests.find(''), key(/`key` to have 1 to 512 bytes in UTF-8, got 0/))
  await assert.rejects(requests.publish(long, 'x'), key(/got 513, in websocketCluster.publish\(\)/))
  await assert.rejects(requests.close(long), key(/websocketCluster.close/))
  for (const message of [7, undefined, { text: 'secret' }, new ArrayBuffer(1)]) {
    const expected = option(
      /`message` to be a string or a Uint8Array, got (7|undefined|object), in/,
    )
    await assert.rejects(requests.publish('room', wrong(message)), expected)
  }
  for (const code of [0, 1005, 1006, 5000, '1000', null]) {
    await assert.rejects(
      requests.close('room', wrong(code)),
      option(/`code` to be a close code that may be sent/),
    )
  }
  await assert.rejects(
    requests.close('room', 1000, wrong(Buffer.from('x'))),
    option(/`reason` to be a string, got object/),
  )
  assert.deepEqual(members.sent, [])
  assert.deepEqual(members.closed, [])
})

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name}: what one node says of a key comes in order, and ends with the close`, async (t) => {
    const { a, b } = await threeNodes(t, connect)
    // All have to be answered within two seconds, also on a busy machine.
    const sent = Array.from({ length: 150 }, (_, at) => String(at))
    const told = sent.map(async (text) => a.requests.publish('room', text))
    const closing = a.requests.close('room')
    const results = await Promise.all(told)
    assert.ok(results.every(({ nodes, unreached }) => nodes === 2 && unreached.length === 0))
    assert.deepEqual(await closing, { closed: 3, unreached: [] })
    assert.deepEqual(a.members.sent, sent)
    assert.deepEqual(b.members.sent, sent)
  })
}

test('an operation whose holders are known late is not overtaken by those behind it', async (t) => {
  const { server, db, b } = await threeNodes(t)
  let held: HeldRedis | undefined
  const through = (redis: Redis): HeldRedis => (held = new HeldRedis(redis))
  const d = await TestNode.start(t, server, { id: 'd', through })
  const { opened, open } = gate()
  assert.ok(held)
  let isFirst = true
  held.delays = (what) => {
    if (what !== 'SMEMBERS' || !isFirst) return undefined
    isFirst = false
    return opened
  }
  const told = [d.requests.publish('room', '1'), d.requests.publish('room', '2')]
  const other = await d.requests.publish('other', 'is not held up')
  assert.equal(other.nodes, 1)
  await db.ping()
  await turns(20)
  assert.deepEqual(b.members.sent, [])
  open()
  await Promise.all(told)
  await until(() => b.members.sent.length === 2)
  assert.deepEqual(b.members.sent, ['1', '2'])
})

test('an operation that Redis has refused holds up none of those behind it', async (t) => {
  const { db, a, b } = await threeNodes(t)
  await db.set('wsl:{k:text}', 'no set')
  await assert.rejects(a.requests.publish('text', 'x'), { code: 'FST_ERR_WSL_CLUSTER_UNAVAILABLE' })
  await db.del('wsl:{k:text}')
  await gives(db, b, 'text', 'b1')
  assert.deepEqual(await a.requests.publish('text', 'y'), { nodes: 1, unreached: [] })
})

test('the bytes of a message may be used again at once', async (t) => {
  const { a, b } = await threeNodes(t)
  const bytes = Buffer.from('first')
  const told = a.requests.publish('room', bytes)
  bytes.write('later')
  await told
  await until(() => b.members.sent.length === 1)
  assert.equal(Buffer.from(bytesOf(b, 0)).toString(), 'first')
})
