// What a survivor does for a node that is dead.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DurableRecord } from '../../lib/api/cluster.js'
import type { DurableRoute } from '../../lib/cluster/cluster.js'
import { ALWAYS, die, leftIn, recordsOf, surviving, textOf } from '../support/redis/cleaning.js'
import { durableRoute } from '../support/redis/durable.js'
import { handMadeNode } from '../support/redis/hand-made-node.js'
import { startRedis, tell } from '../support/redis/redis-server.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until, untilAsync } from '../support/time/timed.js'

const FAST = { concurrency: 8, rate: 100_000 }

async function setUp(t: TestContext, routes: readonly DurableRoute[], limits = FAST) {
  const server = await startRedis(t)
  const looker = await handMadeNode(t, server.port, 'looker')
  const clock = new FakeClock()
  const node = await handMadeNode(t, server.port, 'one', clock)
  const { redis } = looker
  /** Moves the clock by steps until something holds, and lets Redis answer in between. */
  const moveUntil = async (holds: () => boolean | Promise<boolean>, step = 1): Promise<void> => {
    const startedAt = performance.now()
    while (!(await holds())) {
      if (performance.now() - startedAt > 30_000) assert.fail(`Expected ${String(holds)}`)
      await clock.advance(step)
      for (let i = 0; i < 3; i++) await node.redis.command('EXISTS', 'x')
    }
  }
  const untilCleaned = async (dead: string, step?: number): Promise<void> =>
    moveUntil(async () => (await leftIn(redis)).cleaned.includes(dead), step)
  return { server, clock, redis, moveUntil, untilCleaned, ...surviving(node, routes, limits) }
}

/** Releases that settle when they are let, however long that takes. */
function held(): { calls: string[]; open: () => void; route: DurableRoute } {
  const { opened, open } = gate()
  const calls: string[] = []
  const route = durableRoute(async ({ id }) => {
    calls.push(id)
    await opened
  })
  return { calls, open, route: { ...route, cleanupTimeout: 1e9 } }
}

/** Notes what is released. */
function noting(): { seen: DurableRecord[]; ids: () => string[]; route: DurableRoute } {
  const seen: DurableRecord[] = []
  const route = durableRoute((record) => void seen.push(record))
  return { seen, ids: () => seen.map(({ id }) => id).toSorted(), route }
}

test('all that a dead node has recorded is released once, and then nothing is left of it', async (t) => {
  const { seen, ids, route } = noting()
  const { clock, untilCleaned, node, redis, survivor } = await setUp(t, [route])
  const records = recordsOf(500)
  await die(redis, 'dead', records)
  survivor.onDead(['dead'], ALWAYS)
  await untilCleaned('dead')
  assert.deepEqual(ids(), Object.keys(records).toSorted())
  const [record] = seen
  const fence = Number(await redis.command('GET', node.names.fence))
  const { openedAt, data } = JSON.parse(textOf('/chat')) as DurableRecord
  const expected = { name: '/chat', node: 'dead', openedAt, data, fence, survivor: true }
  assert.deepEqual(record, { id: record?.id, ...expected })
  assert.ok(Object.isFrozen(record))
  assert.deepEqual((await leftIn(redis)).keys, [
    'wsl:{c}:dead',
    'wsl:{c}:fence',
    'wsl:{n:dead}:sealed',
  ])
  assert.deepEqual(
    node.lines.map(({ msg, dead, released }) => [msg, dead, released]),
    [
      ['a node is dead, and this one cleans up after it', 'dead', undefined],
      ['this node has cleaned up after a dead one', 'dead', 500],
    ],
  )
  await survivor.leave()
  assert.equal(clock.pending, 0)
})

test('a release that fails is told once, and tried again while others go on', async (t) => {
  const calls: string[] = []
  const times: number[] = []
  const route = durableRoute(({ id }) => {
    calls.push(id)
    if (id !== 'r7') return
    times.push(clock.now())
    if (times.length < 4) throw new Error('no database')
  })
  const { clock, untilCleaned, node, redis, survivor } = await setUp(t, [route])
  await die(redis, 'dead', recordsOf(20))
  await die(redis, 'next', { other: textOf('/chat') })
  survivor.onDead(['dead', 'next'], ALWAYS)
  await untilCleaned('next')
  assert.equal(calls.length, 21)
  assert.deepEqual((await leftIn(redis)).dead, ['dead'])
  await untilCleaned('dead', 1_000)
  const [first = 0] = times
  assert.deepEqual(
    times.map((at) => Math.round((at - first) / 1_000)),
    [0, 5, 15, 35],
  )
  const failures = node.lines.filter(({ level }) => level === 50)
  assert.equal(failures.length, 1)
  const { msg, id, node: of, route: url, err } = failures[0]!
  assert.equal(msg, 'a durable release has failed on a survivor, and is tried again')
  assert.deepEqual([id, of, url], ['r7', 'dead', '/chat'])
  assert.equal((err as Error).message, 'no database')
})

test('records that it has no route for, or cannot read, are left for another version of the app', async (t) => {
  const { ids, route } = noting()
  const { clock, moveUntil, node, redis, server, survivor, untilCleaned } = await setUp(t, [route])
  await die(redis, 'dead', {
    ...recordsOf(3),
    game: textOf('/game'),
    broken: '{"name":"/chat"',
    strange: '{"name":7,"data":null,"openedAt":1}',
    none: 'null',
  })
  survivor.onDead(['dead'], ALWAYS)
  const has = (text: string) => () => node.lines.some(({ msg }) => String(msg).startsWith(text))
  await moveUntil(has('a dead node has left records'))
  assert.deepEqual(ids(), ['r0', 'r1', 'r2'])
  assert.deepEqual((await leftIn(redis)).dead, ['dead'])
  const line = node.lines.at(-1)!
  assert.deepEqual(
    [line['level'], line['dead'], line['released'], line['left']],
    [40, 'dead', 3, 4],
  )
  assert.deepEqual(String(line['names']).split(',').toSorted(), ['(unreadable)', '/game'])
  // It does not claim it again.
  const { length } = node.lines
  survivor.onDead(['dead'], ALWAYS)
  await clock.advance(60_000)
  assert.equal(node.lines.length, length)
  // Another one may, at once.
  const game = noting()
  const other = await handMadeNode(t, server.port, 'two', clock)
  const two = surviving(other, [durableRoute(game.route.settings.release, { name: '/game' })])
  two.survivor.onDead(['dead'], ALWAYS)
  await moveUntil(() => other.lines.some(({ level, left }) => level === 40 && left === 3))
  assert.deepEqual(game.ids(), ['game'])
  // Nobody can, until Redis forgets it. After that whoever claims it finds nothing.
  await redis.command('DEL', node.names.durableOf('dead'))
  await clock.advance(25 * 3_600_000)
  survivor.onDead(['dead'], ALWAYS)
  await untilCleaned('dead')
})

test('it stops when another one has the node by now', async (t) => {
  const { calls, open, route } = held()
  const { clock, moveUntil, node, redis, survivor } = await setUp(t, [route])
  await die(redis, 'dead', recordsOf(20))
  survivor.onDead(['dead'], ALWAYS)
  await moveUntil(() => calls.length === 8)
  await redis.command('HSET', node.names.info, 'claim:dead', '77')
  await clock.advance(5_000)
  await moveUntil(() => String(node.lines.at(-1)?.['msg']).startsWith('another node has to go on'))
  open()
  await clock.advance(60_000)
  assert.equal(calls.length, 8)
  // What has run need not run again.
  await untilAsync(
    async () => Number(await redis.command('HLEN', node.names.durableOf('dead'))) === 12,
  )
  assert.deepEqual((await leftIn(redis)).dead, ['dead'])
  assert.equal(clock.pending, 0)
})

test('one that stood still for a lease begins nothing before it has the node again', async (t) => {
  const { calls, open, route } = held()
  const { clock, moveUntil, redis, survivor } = await setUp(t, [route])
  await die(redis, 'dead', recordsOf(20))
  survivor.onDead(['dead'], ALWAYS)
  await moveUntil(() => calls.length === 8)
  clock.stall(15_000)
  open()
  await clock.advance(60_000)
  assert.equal(calls.length, 8)
  assert.deepEqual((await leftIn(redis)).dead, ['dead'])
})

test('cut off from Redis, or fenced, it begins nothing more', async (t) => {
  for (const what of ['cutOff', 'fenced'] as const) {
    const { calls, open, route } = held()
    const { clock, moveUntil, redis, survivor } = await setUp(t, [route])
    await die(redis, 'dead', recordsOf(20))
    survivor.onDead(['dead', 'next'], ALWAYS)
    await moveUntil(() => calls.length === 8)
    survivor[what]()
    open()
    await clock.advance(60_000)
    assert.equal(calls.length, 8)
    survivor.writeAgain()
    assert.equal(clock.pending, 0)
  }
})

test('an outage that is shorter than the lease holds it up, and nothing runs twice', async (t) => {
  const { seen, ids, route } = noting()
  const { clock, moveUntil, redis, server, survivor, untilCleaned } = await setUp(t, [route])
  const records = recordsOf(300)
  await die(redis, 'dead', records)
  survivor.onDead(['dead'], ALWAYS)
  await moveUntil(() => seen.length >= 100)
  server.pause()
  const { length } = seen
  await clock.advance(4_000)
  assert.ok(seen.length <= length + 8, `${seen.length} and ${length}`)
  server.resume()
  await untilCleaned('dead', 50)
  assert.deepEqual(ids(), Object.keys(records).toSorted())
})

test('a Redis that has lost all has nothing to clean', async (t) => {
  const { calls, open, route } = held()
  const { clock, moveUntil, node, redis, server, survivor } = await setUp(t, [route])
  await die(redis, 'dead', recordsOf(300))
  survivor.onDead(['dead'], ALWAYS)
  await moveUntil(() => calls.length === 8)
  await tell(server.port, 'FLUSHALL')
  await moveUntil(() => node.lines.length === 2, 1_000)
  open()
  await clock.advance(60_000)
  assert.equal(node.lines.at(-1)?.['msg'], 'another node has to go on cleaning up after a dead one')
  assert.deepEqual((await leftIn(redis)).keys, [])
  assert.deepEqual([calls.length, clock.pending], [8, 0])
})

test('one that leaves gives the node back when what runs has settled', async (t) => {
  const { calls, open, route } = held()
  const { clock, moveUntil, node, redis, server, survivor, untilCleaned } = await setUp(t, [route])
  const records = recordsOf(300)
  await die(redis, 'dead', records)
  survivor.onDead(['dead', 'next'], ALWAYS)
  await moveUntil(() => calls.length === 8)
  let hasLeft = false
  const left = survivor.leave().then(() => (hasLeft = true))
  await clock.advance(100)
  assert.equal(hasLeft, false)
  open()
  await until(() => hasLeft)
  await left
  assert.deepEqual([calls.length, clock.pending], [8, 0])
  survivor.onDead(['dead'], ALWAYS)
  const { ids, route: others } = noting()
  const two = surviving(await handMadeNode(t, server.port, 'two', clock), [others], FAST)
  two.survivor.onDead(['dead'], ALWAYS)
  await untilCleaned('dead')
  assert.deepEqual([...ids(), ...calls].toSorted(), Object.keys(records).toSorted())
  assert.equal(node.lines.length, 2)
})

test('two at once share what there is', async (t) => {
  const { ids, route } = noting()
  const { clock, untilCleaned, redis, server, survivor } = await setUp(t, [route])
  const two = surviving(await handMadeNode(t, server.port, 'two', clock), [route], FAST)
  const names = Array.from({ length: 6 }, (_, at) => `dead${at}`)
  for (const name of names) {
    await die(redis, name, { [`${name}a`]: textOf('/chat'), [`${name}b`]: textOf('/chat') })
  }
  survivor.onDead(names, ALWAYS)
  two.survivor.onDead(names, ALWAYS)
  for (const name of names) await untilCleaned(name)
  assert.deepEqual(
    ids(),
    names.flatMap((name) => [`${name}a`, `${name}b`]),
  )
})
