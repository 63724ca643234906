// Processes that die, stand still and leave, and others that clean up after them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Redis } from '../../lib/redis/redis.js'
import { randomFrom } from '../support/models/random.js'
import { SEED } from '../support/models/runs.js'
import { type Cleaner, Cleaners, type Setup } from '../support/redis/cleaners.js'
import { leftIn } from '../support/redis/cleaning.js'
import { handMadeNode } from '../support/redis/hand-made-node.js'
import { names } from '../support/redis/nodes.js'
import { startRedis } from '../support/redis/redis-server.js'
import { until, untilAsync } from '../support/time/timed.js'

const LEASE = 1_000
const IDS: readonly string[] = Array.from({ length: 200 }, (_, at) => `r${at}`)

async function setUp(t: TestContext, count: number, fate?: NonNullable<Setup['fate']>) {
  const { port } = await startRedis(t)
  const { redis } = await handMadeNode(t, port, 'looker')
  const limits = { concurrency: 8, rate: 1_000 }
  const setup = { lease: LEASE, delay: fate === undefined ? 0 : 20, limits, ...(fate && { fate }) }
  const cleaners = new Cleaners(t, port, setup)
  const nodes = await Promise.all(Array.from({ length: count }, async () => cleaners.start()))
  const [dies] = nodes as [Cleaner]
  assert.deepEqual(await dies.record(IDS), IDS)
  const dead = dies.id()
  return { cleaners, dead, nodes: nodes as [Cleaner, ...Cleaner[]], redis }
}

async function untilCleaned(redis: Redis, ...nodes: readonly string[]): Promise<void> {
  await untilAsync(async () => {
    const { cleaned } = await leftIn(redis)
    return nodes.every((node) => cleaned.includes(node))
  })
}

/** The name of the one that has met its fate in the middle. */
async function fated(cleaners: Cleaners): Promise<string> {
  await until(() => cleaners.fated !== undefined)
  return cleaners.fated ?? assert.fail()
}

/** How many nodes have released something. */
function cleanersOf({ released }: Cleaners): number {
  return new Set(released.map(({ by }) => by)).size
}

/** Those that run at once may run once more, for each claim of the dead node that was lost: a machine may stand still. */
function mayRunAgain({ released }: Cleaners, givenBack = 0): number {
  const claims = new Set(released.map(({ fence }) => fence)).size
  return 8 * (claims - 1 - givenBack)
}

/** All have run, and at most so many twice. */
function assertAtLeastOnce(cleaners: Cleaners, ids: readonly string[], twice: number): void {
  const counts = cleaners.counts(ids)
  const never = ids.filter((_, at) => counts[at] === 0)
  assert.deepEqual(never, [])
  const again = counts.reduce((sum, count) => sum + count - 1, 0)
  assert.ok(again <= twice, `${again} ran once more`)
}

test('what a killed node has recorded is released once by others, whoever gets to it', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 3)
  const killedAt = performance.now()
  nodes[0].kill('SIGKILL')
  await untilCleaned(redis, dead)
  const lasted = performance.now() - killedAt
  assert.ok(lasted > LEASE, String(lasted))
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners))
  assert.equal(await redis.command('EXISTS', `wsl:{n:${dead}}:durable`), 0)
})

test('when the cleaner is killed too, another one goes on', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 3, 'SIGKILL')
  nodes[0].kill('SIGKILL')
  await untilCleaned(redis, dead)
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners))
  const fences = new Map(cleaners.released.map(({ by, fence }) => [by, fence]))
  assert.equal(fences.size, 2)
  const [first = 0, second = 0] = fences.values()
  assert.ok(second > first)
})

test('a cleaner that stood still while another one went on does not go on', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 3, 'SIGSTOP')
  nodes[0].kill('SIGKILL')
  const old = await fated(cleaners)
  await untilCleaned(redis, dead, old)
  const cleaner = nodes.find(({ id }) => id() === old) ?? assert.fail(old)
  cleaner.kill('SIGCONT')
  // It was taken for dead, and is back.
  await until(() => cleaner.id() !== old)
  assert.equal(cleanersOf(cleaners), 2)
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners))
})

test('a cleaner that leaves gives it to another one', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 3, 'leave')
  nodes[0].kill('SIGKILL')
  await untilCleaned(redis, dead, await fated(cleaners))
  assert.equal(cleanersOf(cleaners), 2)
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners, 1))
})

test('a node that stood still finds its connections released, and ends them', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 2)
  const [still] = nodes
  still.kill('SIGSTOP')
  await untilCleaned(redis, dead)
  still.kill('SIGCONT')
  await until(() => still.ended.length === IDS.length)
  await until(() => still.id() !== dead)
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners))
  assert.deepEqual(await still.record(['next']), ['next'])
})

test('what ended while the node stood still, and was claimed, is not released once more', async (t) => {
  const { cleaners, dead, nodes, redis } = await setUp(t, 2)
  const [still] = nodes
  still.kill('SIGSTOP')
  still.end()
  await untilCleaned(redis, dead)
  still.kill('SIGCONT')
  await until(() => still.id() !== dead)
  assertAtLeastOnce(cleaners, IDS, mayRunAgain(cleaners))
})

test('whoever is killed or stands still at random: what got in is released', async (t) => {
  t.diagnostic(`SEED=${SEED}`)
  const random = randomFrom(SEED)
  const { port } = await startRedis(t)
  const { redis } = await handMadeNode(t, port, 'looker')
  const limits = { concurrency: 8, rate: 300 }
  const cleaners = new Cleaners(t, port, { lease: LEASE, delay: 5, limits })
  const start = async (): Promise<Cleaner> => cleaners.start()
  const living = await Promise.all([start(), start(), start()])
  const recorded: string[] = []
  let faults = 0
  for (; faults < 4; faults++) {
    for (const [at, node] of living.entries()) {
      const ids = Array.from({ length: 50 }, (_, id) => `${faults}-${at}-${id}`)
      recorded.push(...(await node.record(ids)))
    }
    await wait(random() * 2_000)
    const at = Math.floor(random() * living.length)
    const victim = living[at]!
    const survives = random() < 0.4
    victim.kill(survives ? 'SIGSTOP' : 'SIGKILL')
    await wait(random() * 5_000)
    victim.kill('SIGCONT')
    if (!survives) living[at] = await start()
  }
  await start()
  for (const node of living) node.kill('SIGKILL')
  await untilAsync(async () => {
    // In this order: between both, one that is claimed goes from the nodes to the dead.
    const living = await redis.command('ZCARD', names.nodes)
    const { dead } = await leftIn(redis)
    return living === 1 && dead.length === 0
  })
  assert.ok(recorded.length > 200, String(recorded.length))
  assertAtLeastOnce(cleaners, recorded, 8 * (faults + living.length))
})
