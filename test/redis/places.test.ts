import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Redis as Ioredis } from 'ioredis'
import type { ClusterPlace } from '../../lib/cluster/cluster.js'
import { encodeRequest } from '../../lib/redis/protocol.js'
import { LIVE } from '../../lib/redis/scripts/live.js'
import { MARK } from '../../lib/redis/scripts/mark.js'
import { PLACE } from '../../lib/redis/scripts/place.js'
import { randomFrom } from '../support/models/random.js'
import { HeldRedis } from '../support/redis/held-redis.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { lookInto, type NodeSetup, TestNode } from '../support/redis/test-node.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { soon, until, untilAsync } from '../support/time/timed.js'

const PLACES = 'wsl:{p:the server:user}'

/** A connection, as its place knows it: it ends when it is told to give way. */
class Device {
  place: ClusterPlace | undefined
  isGone = false

  static async open(node: TestNode, max = 1, key = 'user'): Promise<Device> {
    const device = new Device()
    device.place = await node.places.takePlace('the server', key, max, device)
    if (device.isGone) device.place.giveBack()
    else device.place.handTo(device)
    return device
  }

  giveWay(): void {
    this.isGone = true
    this.place?.giveBack()
  }
}

interface Setup {
  readonly server: RedisServer
  readonly db: Ioredis
  readonly start: (id: string, setup?: NodeSetup) => Promise<TestNode>
  /** A node whose calls a test can hold. */
  readonly startHeld: (id: string) => Promise<{ node: TestNode; redis: HeldRedis }>
}

async function setUp(t: TestContext): Promise<Setup> {
  const server = await startRedis(t)
  const start = async (id: string, setup: NodeSetup = {}): Promise<TestNode> =>
    TestNode.start(t, server, { ...setup, id })
  const startHeld = async (id: string): Promise<{ node: TestNode; redis: HeldRedis }> => {
    let held: HeldRedis | undefined
    const node = await start(id, { through: (redis) => (held = new HeldRedis(redis)) })
    assert.ok(held)
    return { node, redis: held }
  }
  return { server, db: lookInto(t, server), start, startHeld }
}

test('the newest stays, on whichever node; the older one is told before the newer one has its place', async (t) => {
  const { db, start } = await setUp(t)
  const [a, b] = [await start('a'), await start('b')]
  const first = await Device.open(a)
  const second = await Device.open(b)
  assert.deepEqual([first.isGone, second.isGone], [true, false])
  const third = await Device.open(b)
  assert.deepEqual([second.isGone, third.isGone], [true, false])
  const other = await Device.open(a, 1, 'somebody else')
  await untilAsync(async () => (await db.zcard(PLACES)) === 1)
  assert.ok((await db.pttl(PLACES)) > 86_000_000)
  third.place?.giveBack()
  other.place?.giveBack()
  await untilAsync(async () => String(await db.keys('*')) === 'wsl:{c}:nodes')
})

test('who waits until others are told holds up nobody', async (t) => {
  const { db, server, start } = await setUp(t)
  const clock = new FakeClock()
  const node = await start('a', { clock })
  const frozen = lookInto(t, server)
  await frozen.subscribe('wsl:n:frozen')
  await db.zadd('wsl:{c}:nodes', 9e15, 'frozen')
  const keys = Array.from({ length: 600 }, (_, at) => `k${at}`)
  for (const key of keys) await db.zadd(`wsl:{p:the server:${key}}`, 1, 'frozen.1')
  const opening = Promise.all(keys.map(async (key) => Device.open(node, 1, key)))
  const from = clock.now()
  node.presence.groupFormed('room')
  await soon(clock, async () => (await db.exists('wsl:{k:room}')) === 1)
  assert.ok(clock.now() - from < 1_900, `${clock.now() - from}`)
  await clock.advance(2_000)
  await opening
})

test('whoever is to give way before it has become a connection is told as that, too', async (t) => {
  const { start } = await setUp(t)
  const [a, b] = [await start('a'), await start('b')]
  const told: string[] = []
  const place = await a.places.takePlace('r', 'k', 1, { giveWay: () => told.push('upgrade') })
  await b.places.takePlace('r', 'k', 1, { giveWay(): void {} })
  place.handTo({ giveWay: () => told.push('connection') })
  assert.deepEqual(told, ['upgrade', 'connection'])
})

test('races are decided once: of all that come at the same time, as many stay as there are places', async (t) => {
  const { db, start } = await setUp(t)
  const nodes = [await start('a'), await start('b'), await start('c')]
  const random = randomFrom(3)
  for (let round = 0; round < 60; round++) {
    const max = 1 + (round % 3)
    const count = max + 1 + Math.floor(random() * 4)
    const opening = Array.from({ length: count }, async () => {
      await turns(Math.floor(random() * 6))
      return Device.open(nodes[Math.floor(random() * 3)] ?? assert.fail(), max, `user ${round}`)
    })
    const devices = await Promise.all(opening)
    await until(() => devices.filter(({ isGone }) => !isGone).length === max)
    await untilAsync(async () => (await db.zcard(`wsl:{p:the server:user ${round}}`)) === max)
    for (const { isGone, place } of devices) if (!isGone) place?.giveBack()
  }
  await untilAsync(async () => String(await db.keys('*')) === 'wsl:{c}:nodes')
})

test('a call that comes twice puts nobody back in front', async (t) => {
  const { db, start, startHeld } = await setUp(t)
  const { node: a, redis } = await startHeld('a')
  const b = await start('b')
  // It is carried out, its answer is lost, and the client sends it again when another device has come.
  redis.holds = (what) => what === PLACE
  const opening = Device.open(a)
  await until(() => redis.calls.includes(PLACE))
  redis.holds = () => false
  a.keeper.writeAgain()
  const first = await opening
  await untilAsync(async () => (await db.zcard(PLACES)) === 1)
  const second = await Device.open(b)
  assert.deepEqual([first.isGone, second.isGone], [true, false])
  await untilAsync(async () => (await db.exists('wsl:{n:a}:keys')) === 0)
  const isSent = redis.release()
  // The call that was said to have failed is tried again once more, and takes the place away: on a slow machine by now.
  redis.holds = (what) => what === 'ZREM'
  await isSent
  assert.equal((await db.zrange(PLACES, '0', '-1')).length, 2)
  const third = await Device.open(b)
  assert.deepEqual([second.isGone, third.isGone], [true, false])
  await redis.release()
  await untilAsync(async () => String(await db.zrange(PLACES, '0', '-1')) === 'b.2')
})

test('whoever has to give way is told, also if the answer that named it was lost', async (t) => {
  const { db, start, startHeld } = await setUp(t)
  const { node: a, redis } = await startHeld('a')
  const b = await start('b')
  const first = await Device.open(b)
  redis.loses = (what) => what === PLACE
  const second = await Device.open(a)
  assert.equal(first.isGone, false)
  redis.loses = () => false
  await until(() => first.isGone)
  assert.equal(second.isGone, false)
  await untilAsync(async () => (await db.zcard(PLACES)) === 1)
})

test('whoever has to give way is told, also if nobody could be asked at first', async (t) => {
  const { start, startHeld } = await setUp(t)
  const { node: a, redis } = await startHeld('a')
  const first = await Device.open(await start('b'))
  redis.holds = (what) => what === LIVE
  await Device.open(a)
  assert.equal(first.isGone, false)
  redis.holds = () => false
  await until(() => first.isGone)
})

test("a place that was given back is nobody's", async (t) => {
  const { db, start } = await setUp(t)
  const a = await start('a')
  const told: string[] = []
  const gone = await a.places.takePlace('r', 'k', 2, { giveWay: () => told.push('gone') })
  await a.places.takePlace('r', 'k', 2, { giveWay: () => told.push('there') })
  gone.giveBack()
  gone.giveBack()
  const request = { op: 'replace', places: ['1', '2', 'x'] } as const
  await db.publish('wsl:n:a', encodeRequest('b', 1, request))
  await until(() => told.length > 0)
  assert.deepEqual(told, ['there'])
})

test('a node whose loop stands still while it takes a place has the newer place all the same', async (t) => {
  const { db, server, start } = await setUp(t)
  const clock = new FakeClock()
  const { opened, open } = gate()
  const first = await Device.open(await start('a'))
  const b = await TestNode.start(t, server, {
    id: 'b',
    clock,
    through: (redis) =>
      Object.assign(new HeldRedis(redis), {
        delays: (what: unknown) => (what === MARK ? opened : undefined),
      }),
  })
  const opening = Device.open(b)
  await clock.advance(5)
  await untilAsync(async () => (await db.exists('wsl:{n:b}:keys')) === 1)
  clock.stall(10_000)
  open()
  const second = await opening
  await until(() => first.isGone)
  assert.equal(second.isGone, false)
})

test('without Redis each node counts for itself; later the newest stays', async (t) => {
  const { db, start } = await setUp(t)
  const clock = new FakeClock()
  const [a, b] = [await start('a', { clock }), await start('b', { clock })]
  a.isConnected = false
  b.isConnected = false
  const first = await Device.open(a)
  const gone = await Device.open(a)
  await clock.advance(1_000)
  const second = await Device.open(b)
  gone.place?.giveBack()
  await clock.advance(60_000)
  assert.deepEqual([first.isGone, second.isGone], [false, false])
  // The newer one is written first: it is the newer one all the same.
  b.isConnected = true
  await clock.advance(100)
  await clock.advance(5)
  await untilAsync(async () => (await db.zcard(PLACES)) === 1)
  a.isConnected = true
  await clock.advance(100)
  await clock.advance(5)
  await until(() => first.isGone)
  await clock.advance(5)
  assert.equal(second.isGone, false)
  await untilAsync(async () => String(await db.zrange(PLACES, '0', '-1')) === 'b.1')
})

test('what Redis has lost comes back in its order', async (t) => {
  const { db, start } = await setUp(t)
  const [a, b] = [await start('a'), await start('b')]
  const first = await Device.open(a, 2)
  const second = await Device.open(b, 2)
  const before = await db.zrange(PLACES, '0', '-1', 'WITHSCORES')
  await db.del(PLACES)
  b.keeper.writeAgain()
  await untilAsync(async () => (await db.zcard(PLACES)) === 1)
  a.keeper.writeAgain()
  await untilAsync(async () => (await db.zcard(PLACES)) === 2)
  assert.deepEqual(await db.zrange(PLACES, '0', '-1', 'WITHSCORES'), before)
  const third = await Device.open(b, 2)
  assert.deepEqual(
    [first, second, third].map(({ isGone }) => isGone),
    [true, false, false],
  )
})

test('a node that was claimed keeps its places, under its new name', async (t) => {
  const { db, start } = await setUp(t)
  const [a, b] = [await start('a'), await start('b')]
  const first = await Device.open(a, 2)
  const second = await Device.open(b, 2)
  await a.fenceAs('a2')
  await untilAsync(async () => String(await db.zrange(PLACES, '0', '-1')) === 'a2.1,b.1')
  assert.deepEqual([first.isGone, second.isGone], [false, false])
  const third = await Device.open(b, 2)
  assert.deepEqual([first.isGone, second.isGone, third.isGone], [true, false, false])
})

test('a dead node is not waited for; one that does not answer, for 2 s, and it is told when it can hear', async (t) => {
  const { db, server, start } = await setUp(t)
  const clock = new FakeClock()
  const node = await start('a', { clock })
  await db.zadd(PLACES, 1, 'dead.1')
  const opening = Device.open(node)
  await clock.advance(5)
  const first = await opening
  assert.deepEqual(await db.zrange(PLACES, '0', '-1'), ['a.1'])
  first.place?.giveBack()
  await clock.advance(5)
  await db.zadd(PLACES, 1, 'frozen.7')
  await db.zadd('wsl:{c}:nodes', 9e15, 'frozen')
  const frozen = lookInto(t, server)
  const heard: string[] = []
  frozen.on('message', (_channel, message: string) => heard.push(message))
  await frozen.subscribe('wsl:n:frozen')
  let isOpen = false
  const waiting = Device.open(node).then(() => (isOpen = true))
  await clock.advance(5)
  await until(() => heard.length === 1)
  await clock.advance(1_900)
  assert.equal(isOpen, false)
  await clock.advance(100)
  await waiting
  assert.deepEqual(await db.zrange(PLACES, '0', '-1'), ['frozen.7', 'a.2'])
  await clock.advance(100)
  await clock.advance(5)
  await until(() => heard.length === 2)
  assert.deepEqual(JSON.parse((heard[1] ?? '').slice(1)), {
    from: 'a',
    id: 2,
    op: 'replace',
    places: ['7'],
  })
})
