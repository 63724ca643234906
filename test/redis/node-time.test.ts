import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { Names } from '../../lib/redis/names.js'
import { Node } from '../../lib/redis/node.js'
import { type AskedRenewal, FakeRedis } from '../support/redis/fake-redis.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { FakeClock } from '../support/time/fake-clock.js'

const LEASE = 15_000
const BEAT = 5_000

/** A node whose clock and whose Redis are in the hands of the test. */
class World {
  readonly clock = new FakeClock()
  readonly redis = new FakeRedis()
  readonly told: string[] = []
  readonly lines: readonly LogLine[]
  readonly node: Node
  #leaseEnd = ''

  /** @param enter what happens to who enters */
  constructor(enter = async (): Promise<void> => {}) {
    const { lines, fastify } = logLines()
    this.lines = lines
    const tell = (what: string) => (): void => void this.told.push(what)
    this.node = new Node({
      redis: this.redis,
      names: new Names('wsl'),
      clock: this.clock,
      log: Fastify(fastify).log,
      lease: LEASE,
      address: undefined,
      enter: async (id) => {
        this.told.push(`enter ${id}`)
        await enter()
      },
      dead: (nodes, toldAt) => this.told.push(`dead ${nodes.join()} ${toldAt}`),
    })
    this.node.add({
      writeAgain: tell('write'),
      fenced: tell('fenced'),
      cutOff: tell('cut off'),
      leave: async () => tell('leave')(),
    })
    void this.node.start()
  }

  /** The renewal that waits for its answer. */
  async asked(): Promise<AskedRenewal> {
    await this.clock.advance(0)
    const renewal = this.redis.renewals.at(-1)
    assert.ok(renewal !== undefined)
    return renewal
  }

  /** Redis answers the one that waits. Its clock is ahead of ours. */
  async renewed({ dead = [] as string[], live = [] as string[][] } = {}): Promise<void> {
    const asked = await this.asked()
    const now = this.clock.now() + 1_000_000
    asked.answer([this.#leaseEnd, asked.registers ? '7' : '', now, live, dead, []])
    this.#leaseEnd = String(now + LEASE)
    await this.clock.advance(0)
  }

  get messages(): string[] {
    return this.lines.map(({ msg }) => String(msg))
  }
}

test('is cut off a lease after it sent its last renewal, however late the answer was', async () => {
  const world = new World()
  const { clock, node, told } = world
  await clock.advance(1_500)
  await world.renewed()
  assert.ok(node.isConnected)
  assert.equal(node.fence, 7)
  // One is asked after a beat, and is not answered.
  await clock.advance(LEASE - 1_500 - 1)
  assert.ok(node.isConnected)
  assert.ok(!told.includes('cut off'))
  await clock.advance(1)
  assert.ok(!node.isConnected)
  assert.deepEqual(told.slice(1), ['write', 'cut off'])
  await clock.advance(BEAT)
  await world.renewed()
  // It was sent a lease ago: by now others do not count on it either.
  assert.ok(!node.isConnected)
  await world.renewed()
  assert.ok(node.isConnected)
  assert.deepEqual(
    world.messages.map((each) => each.slice(0, 27)),
    ['this node has not reached R', 'this node reaches Redis aga'],
  )
})

test('a process that stood still knows by its own clock that its lease is over', async () => {
  const world = new World()
  const { clock, node, told } = world
  await world.renewed()
  const { id } = node
  clock.stall(LEASE)
  assert.ok(!node.isConnected)
  // Its renewal is due, and that it is cut off: the latter comes first.
  await clock.advance(0)
  assert.deepEqual(told.slice(1), ['write', 'cut off'])
  const asked = await world.asked()
  asked.answer(['claimed'])
  await clock.advance(0)
  const next = (await world.asked()).node
  assert.deepEqual(told.slice(3), ['fenced', `enter ${next}`])
  assert.equal(node.id, id, 'until the next one is registered')
  assert.ok(!node.isConnected)
  await world.renewed()
  assert.equal(node.id, next)
  assert.ok(node.isConnected)
  assert.equal(told.at(-1), 'write')
})

test('a node whose lease was over, and that nobody has claimed, writes again', async () => {
  const world = new World()
  await world.renewed()
  await world.renewed()
  world.clock.stall(LEASE)
  await world.renewed()
  assert.deepEqual(world.told.slice(1), ['write', 'cut off', 'write'])
})

test('a node that is claimed before it knows that it is registered takes the next name', async () => {
  const world = new World()
  const first = await world.asked()
  assert.ok(first.registers)
  first.answer(['claimed'])
  const second = await world.asked()
  second.answer(['claimed'])
  await world.renewed()
  assert.ok(world.node.isConnected)
  assert.notEqual(world.node.id, first.node)
  assert.deepEqual(
    [first.node, second.node, 'x'].map((id) => world.node.isNamed(id)),
    [true, false, false],
  )
})

test('registers when it could enter, not before', async () => {
  let mayEnter = false
  const world = new World(async () => {
    if (!mayEnter) throw new Error('not yet')
  })
  await world.clock.advance(2_500)
  assert.equal(world.redis.renewals.length, 0)
  assert.deepEqual(
    world.told,
    [1, 2, 3].map(() => `enter ${world.node.id}`),
  )
  mayEnter = true
  await world.clock.advance(500)
  await world.renewed()
  assert.ok(world.node.isConnected)
})

test('a renewal that fails is tried again after a second, and once it comes through all is written', async () => {
  const world = new World()
  const { clock, node, told } = world
  await world.renewed()
  await clock.advance(BEAT)
  for (let i = 0; i < 20; i++) {
    ;(await world.asked()).fail()
    await clock.advance(1_000)
    assert.ok(!node.isConnected)
  }
  assert.equal(world.redis.renewals.length, 22)
  await world.renewed()
  assert.deepEqual(told.slice(1), ['write', 'cut off', 'write'])
  assert.match(JSON.stringify(world.lines[0]), /Redis says no/)
  assert.equal(world.lines.length, 2)
})

test('a connection that is there again is used at once', async () => {
  const world = new World()
  await world.renewed()
  await world.clock.advance(100)
  world.redis.reconnect()
  await world.renewed()
  assert.equal(world.told.filter((each) => each === 'write').length, 2)
  // While one is asked: it may be lost with the connection before.
  await world.clock.advance(BEAT)
  world.redis.reconnect()
  assert.equal(world.redis.renewals.length, 3)
  ;(await world.asked()).fail()
  await world.clock.advance(0)
  assert.equal(world.redis.renewals.length, 4)
})

test('names dead nodes only after a lease of renewals on one connection', async () => {
  const world = new World()
  const { clock, told } = world
  const isNamed = async (): Promise<boolean> => {
    const before = told.length
    await clock.advance(BEAT)
    await world.renewed({ dead: ['a', 'b'] })
    return told.length > before
  }
  await world.renewed({ dead: ['a', 'b'] })
  assert.deepEqual([await isNamed(), await isNamed(), await isNamed()], [false, false, true])
  assert.equal(told.at(-1), `dead a,b ${clock.now() + 1_000_000}`)
  world.redis.reconnect()
  await world.renewed({ dead: ['a', 'b'] })
  assert.equal(told.at(-1), 'write')
  assert.deepEqual(
    [await isNamed(), await isNamed(), await isNamed(), await isNamed()],
    [false, false, true, true],
  )
})

test('knows the others by their names, and by those that they had before', async () => {
  const world = new World()
  await world.renewed({
    live: [
      ['a', '{}'],
      ['b', '{"address":"http://b","formerly":["c","d"]}'],
    ],
  })
  const b = { address: 'http://b', formerly: ['c', 'd'] }
  assert.deepEqual(Object.fromEntries(world.node.others), {
    a: { address: undefined, formerly: [] },
    b,
    c: b,
    d: b,
  })
})

test('leaves once, and hears nothing more', async () => {
  const world = new World()
  const { clock, node, told } = world
  await world.renewed()
  await clock.advance(BEAT)
  await Promise.all([node.leave(), node.leave()])
  await world.renewed({ dead: ['a'] })
  await clock.advance(10 * LEASE)
  assert.deepEqual(told.slice(1), ['write', 'leave'])
  assert.equal(world.redis.done, 1)
  assert.equal(world.redis.renewals.length, 2)
  assert.equal(clock.pending, 0)
})

test('leaves in 2 s, and is not taken out while something is left', async () => {
  const world = new World()
  const { clock, node } = world
  await world.renewed()
  node.add({ writeAgain() {}, fenced() {}, cutOff() {}, leave: async () => new Promise(() => {}) })
  let hasLeft = false
  const leaving = node.leave().then(() => (hasLeft = true))
  await clock.advance(1_999)
  assert.ok(!hasLeft)
  await clock.advance(1)
  await leaving
  assert.equal(world.redis.done, 0)
  assert.match(world.messages.join(), /left something in Redis/)
})
