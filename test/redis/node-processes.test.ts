import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type RedisServer, startRedis, tell } from '../support/redis/redis-server.js'
import { names, startNode, type TestNode } from '../support/redis/nodes.js'
import { type Program, start } from '../support/servers/program.js'
import { until, untilAsync } from '../support/time/timed.js'

const LEASE = 1_500
const BEAT = LEASE / 3

interface Child {
  readonly program: Program
  readonly id: string
}

async function child(
  t: TestContext,
  { port }: RedisServer,
  { lease = LEASE, holds = false } = {},
): Promise<Child> {
  const program = start(t, 'test/support/redis/node-program.ts', {
    PORT: String(port),
    LEASE: String(lease),
    ...(holds && { HOLDS: 'yes' }),
  })
  const [, id = ''] = (await program.line('node ')).split(' ')
  return { program, id }
}

/** One in this process, which may claim others by now. */
async function survivor(
  t: TestContext,
  { port }: RedisServer,
  id: string,
  clean: () => Promise<void> = async () => {},
): Promise<TestNode> {
  const node = await startNode(t, port, { lease: LEASE, clean })
  await until(() => node.node.others.has(id))
  const since = performance.now()
  await until(() => performance.now() - since > LEASE + 2 * BEAT)
  return node
}

/** When the lease of a node ends, in ms of Redis's clock. */
async function leaseEnd({ port }: RedisServer, id: string): Promise<number> {
  const [, score] = (await tell(port, `ZSCORE ${names.nodes} ${id}`)).split('\r\n')
  return Number(score)
}

async function redisNow({ port }: RedisServer): Promise<number> {
  const [, , seconds, , micros] = (await tell(port, 'TIME')).split('\r\n')
  return Number(seconds) * 1_000 + Number(micros) / 1_000
}

test('kill -9: the node is claimed, and not before two leases after its last renewal', async (t) => {
  const server = await startRedis(t)
  const { program, id } = await child(t, server)
  let claimedAt = NaN
  const here = await survivor(t, server, id, async () => {
    claimedAt = await redisNow(server)
  })
  program.kill('SIGKILL')
  await program.exited
  const end = await leaseEnd(server, id)
  await until(() => here.count(`done ${id}`) === 1)
  assert.ok(claimedAt >= end + LEASE, `${claimedAt - end}`)
})

test('SIGSTOP for less than a lease: nothing happens', async (t) => {
  const lease = 4 * LEASE
  const server = await startRedis(t)
  const { program, id } = await child(t, server, { lease })
  const here = await survivor(t, server, id)
  const untilRenewed = async (): Promise<void> => {
    const before = await leaseEnd(server, id)
    await untilAsync(async () => (await leaseEnd(server, id)) > before)
  }
  await untilRenewed()
  program.kill('SIGSTOP')
  const since = performance.now()
  await until(() => performance.now() - since > lease / 2)
  program.kill('SIGCONT')
  await untilRenewed()
  assert.ok(here.node.others.has(id))
  program.kill('SIGTERM')
  const { stdout } = await program.exited
  assert.ok(!stdout.some((line) => /fenced|cut off/.test(line)))
})

test('SIGSTOP for more than two leases: claimed; when it wakes it knows by its own clock, then by Redis', async (t) => {
  const server = await startRedis(t)
  const { program, id } = await child(t, server)
  const here = await survivor(t, server, id)
  program.kill('SIGSTOP')
  await until(() => here.count(`done ${id}`) === 1)
  program.kill('SIGCONT')
  // Each is looked for behind the one before.
  await program.line('cut off')
  await program.line('fenced')
  const [, next = ''] = (await program.line('node ')).split(' ')
  assert.notEqual(next, id)
  await until(() => here.node.others.has(next) && here.node.others.get(id)?.formerly[0] === id)
})

test('kill -9 of a node, and of its cleaner in the middle: the next survivor goes on', async (t) => {
  const server = await startRedis(t)
  const dies = await child(t, server)
  const cleaner = await child(t, server, { holds: true })
  dies.program.kill('SIGKILL')
  await cleaner.program.line(`claimed ${dies.id}`)
  const here = await survivor(t, server, cleaner.id)
  cleaner.program.kill('SIGKILL')
  await until(() => here.count(`done ${dies.id}`) + here.count(`done ${cleaner.id}`) === 2)
})
