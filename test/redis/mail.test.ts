import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import type { Redis } from '../../lib/redis/redis.js'
import type { LocalMember } from '../../lib/redis/local-members.js'
import { decode, encodeAnswer, encodeRequest, type Message } from '../../lib/redis/protocol.js'
import { DELIVER } from '../../lib/redis/scripts/deliver.js'
import { HeldRedis } from '../support/redis/held-redis.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

interface Setup {
  readonly server: RedisServer
  readonly db: Ioredis
  readonly clock: FakeClock
  readonly node: TestNode
}

async function setUp(t: TestContext): Promise<Setup> {
  const server = await startRedis(t)
  const clock = new FakeClock()
  const node = await TestNode.start(t, server, { id: 'a', clock })
  return { server, db: lookInto(t, server), clock, node }
}

/** A node that is no program: a test hears and speaks for it. */
async function byHand(t: TestContext, { server, db }: Setup, id = 'hand'): Promise<Message[]> {
  const heard: Message[] = []
  const line = lookInto(t, server)
  line.on('message', (_channel, text: string) => {
    const message = decode(text)
    if (message !== undefined) heard.push(message)
  })
  await line.subscribe(`wsl:n:${id}`)
  await db.zadd('wsl:{c}:nodes', 9e15, id)
  await db.sadd('wsl:{k:room}', id)
  return heard
}

const member = (id: string): LocalMember => ({ id, route: '/', openedAt: 1, suspended: false })

test('what is no message is ignored, with one line in the log', async (t) => {
  const { db, node } = await setUp(t)
  node.members.add('room', '1')
  for (const text of ['', 'x', '1', '1{', '1null', '2{}', '1{"from":"b","id":1,"op":"eval"}']) {
    assert.equal(await db.publish('wsl:n:a', text), 1)
  }
  await db.publish(
    'wsl:n:a',
    encodeRequest('b', 1, { op: 'close', key: 'room', code: 1000, reason: '' }),
  )
  await until(() => node.members.closed.length === 1)
  assert.equal(node.lines.length, 1)
  assert.match(JSON.stringify(node.lines[0]), /was ignored/)
})

test('a request that a client sends twice is carried out once', async (t) => {
  const { db, node } = await setUp(t)
  node.members.add('room', '1')
  const say = async (from: string, id: number, data: string): Promise<void> => {
    await db.publish(
      'wsl:n:a',
      encodeRequest(from, id, { op: 'send', key: 'room', data, asks: false }),
    )
  }
  await say('b', 1, 'b1')
  await say('b', 2, 'b2')
  await say('b', 1, 'b1')
  await say('b', 2, 'b2')
  await say('c', 1, 'c1')
  await say('b', 3, 'b3')
  await until(() => node.members.sent.includes('b3'))
  assert.deepEqual(node.members.sent, ['b1', 'b2', 'c1', 'b3'])
  // What is remembered has a bound.
  for (let i = 0; i < 4_096; i++) void say(`node${i}`, 1, '')
  await say('b', 1, 'forgotten')
  await until(() => node.members.sent.includes('forgotten'))
})

test('answers count once and in full: late, strange, doubled or with a gap they do not', async (t) => {
  const setup = await setUp(t)
  const { db, clock, node } = setup
  const heard = await byHand(t, setup)
  const other = await byHand(t, setup, 'other')
  const finding = node.requests.find('room')
  await until(() => heard.length === 1 && other.length === 1)
  const { id = 0 } = heard[0] ?? {}
  const answer = async (
    from: string,
    part: number,
    isLast: boolean,
    who: string,
  ): Promise<void> => {
    const text = encodeAnswer(from, id, { part, isLast, found: [member(who)] })
    await db.publish('wsl:n:a', text)
  }
  await answer('hand', 0, false, 'h0')
  await answer('hand', 0, false, 'h0')
  await answer('stranger', 0, true, 's0')
  await answer('hand', 1, true, 'h1')
  await answer('hand', 2, true, 'h2')
  await answer('other', 0, false, 'o0')
  await answer('other', 2, true, 'o2')
  const { found, unreached } = await finding
  assert.deepEqual(
    found.map((one) => one.id),
    ['h0', 'h1', 'o0'],
  )
  assert.deepEqual(unreached, ['other'])
  const closing = node.requests.close('room')
  await until(() => heard.length === 2)
  await db.publish('wsl:n:a', encodeAnswer('hand', id + 1, { part: 0, isLast: true }))
  // It has been written to all who hear it, before Redis reads the next command.
  await db.ping()
  await clock.advance(2_000)
  const { closed, unreached: notClosed } = await closing
  assert.deepEqual([closed, notClosed.toSorted()], [0, ['other']])
  await db.publish('wsl:n:a', encodeAnswer('hand', id + 1, { part: 0, isLast: true, closed: 7 }))
  await turns(20)
  assert.deepEqual(node.lines, [])
})

test('what a client has held until it was too late is not delivered', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  let held: HeldRedis | undefined
  const a = await TestNode.start(t, server, {
    id: 'a',
    through: (redis) => (held = new HeldRedis(redis)),
  })
  const b = await TestNode.start(t, server, { id: 'b' })
  b.members.add('room', '1')
  await db.sadd('wsl:{k:room}', 'b')
  assert.ok(held)
  held.holds = (what) => what === DELIVER
  await assert.rejects(a.requests.close('room'), { code: 'FST_ERR_WSL_CLUSTER_UNAVAILABLE' })
  await assert.rejects(a.requests.publish('room', 'late'))
  // Redis's clock goes on by itself.
  const from = Number((await db.time())[0])
  await untilAsync(async () => Number((await db.time())[0]) - from > 3)
  await held.release()
  await a.requests.publish('room', 'in time')
  await until(() => b.members.sent.length === 1)
  assert.deepEqual(b.members.sent, ['in time'])
  assert.deepEqual(b.members.closed, [])
})

test('a large answer comes in parts, and stops when nobody waits for it', async (t) => {
  const setup = await setUp(t)
  const { db, clock, node, server } = setup
  const b = await TestNode.start(t, server, { id: 'b' })
  const ids = Array.from({ length: 1_000 }, (_, at) => `b${at}`)
  b.members.add('room', ...ids)
  await db.sadd('wsl:{k:room}', 'b')
  const { found, unreached } = await node.requests.find('room')
  assert.deepEqual(
    found.map(({ id }) => id),
    ids,
  )
  assert.deepEqual(unreached, [])
  const heard = await byHand(t, setup)
  // The whole answer of this node would take long: its members are given one after the other.
  let given = 0
  node.members.find = function* find() {
    for (const id of ids) {
      given++
      if (given === 300) clock.stall(2_001)
      yield member(id)
    }
  }
  await db.publish('wsl:n:a', encodeRequest('hand', 1, { op: 'find', key: 'room' }))
  await until(() => heard.length > 0 && given > 500)
  await turns(20)
  assert.equal(heard.length, 1)
  assert.equal(given, 513)
})

test('an answer that cannot be sent is not sent', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  let held: HeldRedis | undefined
  const through = (redis: Redis): HeldRedis => (held = new HeldRedis(redis))
  const node = await TestNode.start(t, server, { through })
  assert.ok(held)
  held.holds = (what) => what === 'PUBLISH'
  node.members.add('room', ...Array.from({ length: 600 }, String))
  await db.publish('wsl:n:a', encodeRequest('b', 1, { op: 'find', key: 'room' }))
  await until(() => held?.calls.includes('PUBLISH') === true)
  await turns(20)
  assert.equal(held.calls.filter((what) => what === 'PUBLISH').length, 1)
  assert.deepEqual(node.lines, [])
})

test('a request that fails is logged, and nothing else happens', async (t) => {
  const { db, node } = await setUp(t)
  node.members.close = async () => {
    throw new Error('no')
  }
  await db.publish(
    'wsl:n:a',
    encodeRequest('b', 1, { op: 'close', key: 'k', code: 1000, reason: '' }),
  )
  await until(() => node.lines.length === 1)
  assert.match(JSON.stringify(node.lines[0]), /a request of another node has failed/)
  await assert.rejects(node.requests.close('k'), { message: 'no' })
})

test('whoever does not hear is unreached; when the line is back all is as before', async (t) => {
  const server = await startRedis(t)
  const db = lookInto(t, server)
  // Answers get lost, too: so time has to pass.
  const node = await TestNode.start(t, server, { id: 'a' })
  const b = await TestNode.start(t, server, { id: 'b' })
  b.members.add('room', 'b1')
  await db.sadd('wsl:{k:room}', 'b')
  await db.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const { unreached } = await node.requests.publish('room', 'x')
  assert.ok(unreached.length <= 1)
  await untilAsync(async () => (await node.requests.find('room')).unreached.length === 0)
  const { found } = await node.requests.find('room')
  assert.equal(found.length, 1)
})

test('a node that was claimed hears by its new name only, and asks with it', async (t) => {
  const { db, node, server } = await setUp(t)
  const b = await TestNode.start(t, server, { id: 'b' })
  b.members.add('room', 'b1')
  await db.sadd('wsl:{k:room}', 'b')
  await node.fenceAs('a2')
  await untilAsync(async () => (await db.publish('wsl:n:a2', 'x')) === 1)
  assert.equal(await db.publish('wsl:n:a', 'x'), 0)
  const { found, unreached } = await node.requests.find('room')
  assert.deepEqual([found.length, unreached], [1, []])
  await node.mail.leave()
  assert.equal(await db.publish('wsl:n:a2', 'x'), 0)
})
