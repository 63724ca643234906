import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { startNode, type TestNode } from '../support/redis/nodes.js'
import { type Program, start } from '../support/servers/program.js'
import { assertBetween, until } from '../support/time/timed.js'

const LEASE = 1_500
const BEAT = LEASE / 3
/** How late a busy machine may be. */
const SLACK = 1_000

interface Child {
  readonly program: Program
  readonly id: string
  /** When it was told something, in epoch ms. */
  readonly at: (what: string) => Promise<number>
}

async function child(t: TestContext, { port }: RedisServer, holds = false): Promise<Child> {
  const program = start(t, 'test/support/redis/node-program.ts', {
    PORT: String(port),
    LEASE: String(LEASE),
    ...(holds && { HOLDS: 'yes' }),
  })
  const [, id = ''] = (await program.line('node ')).split(' ')
  return {
    program,
    id,
    at: async (what) => Number((await program.line(`${what} at `)).split(' at ')[1]),
  }
}

/** One in this process, which may claim others by now. */
async function survivor(
  t: TestContext,
  { port }: RedisServer,
  ...ids: string[]
): Promise<TestNode> {
  const node = await startNode(t, port, { lease: LEASE })
  await until(() => ids.every((id) => node.node.others.has(id)))
  const since = performance.now()
  await until(() => performance.now() - since > LEASE + 2 * BEAT)
  return node
}

test('kill -9: the node is claimed two leases after its last renewal', async (t) => {
  const server = await startRedis(t)
  const { program, id } = await child(t, server)
  const here = await survivor(t, server, id)
  const killedAt = performance.now()
  program.kill('SIGKILL')
  await until(() => here.count(`done ${id}`) === 1)
  // Its last renewal was up to a beat ago. The survivor sees it with its next one.
  assertBetween(performance.now() - killedAt, 2 * LEASE - BEAT - SLACK, 2 * LEASE + BEAT + SLACK)
})

test('SIGSTOP for less than a lease: nothing happens', async (t) => {
  const server = await startRedis(t)
  const { program, id } = await child(t, server)
  const here = await survivor(t, server, id)
  program.kill('SIGSTOP')
  const since = performance.now()
  await until(() => performance.now() - since > LEASE / 2)
  program.kill('SIGCONT')
  await until(() => performance.now() - since > 3 * LEASE)
  assert.ok(here.node.others.has(id))
  program.kill('SIGTERM')
  const { stdout } = await program.exited
  assert.ok(!stdout.some((line) => /fenced|cut off/.test(line)))
})

test('SIGSTOP for more than two leases: claimed; when it wakes it knows by its own clock, then by Redis', async (t) => {
  const server = await startRedis(t)
  const { program, id, at } = await child(t, server)
  const here = await survivor(t, server, id)
  program.kill('SIGSTOP')
  await until(() => here.count(`done ${id}`) === 1)
  const wokenAt = Date.now()
  program.kill('SIGCONT')
  const cutOff = (await at('cut off')) - wokenAt
  const fenced = (await at('fenced')) - wokenAt
  assertBetween(cutOff, 0, SLACK)
  assertBetween(fenced, cutOff, BEAT + SLACK)
  const [, next = ''] = (await program.line('node ')).split(' ')
  assert.notEqual(next, id)
  await until(() => here.node.others.has(next) && here.node.others.get(id)?.formerly[0] === id)
})

test('kill -9 of a node, and of its cleaner in the middle: the next survivor goes on', async (t) => {
  const server = await startRedis(t)
  const dies = await child(t, server)
  const cleaner = await child(t, server, true)
  dies.program.kill('SIGKILL')
  await cleaner.at(`claimed ${dies.id}`)
  const here = await survivor(t, server, cleaner.id)
  cleaner.program.kill('SIGKILL')
  await until(() => here.count(`done ${dies.id}`) + here.count(`done ${cleaner.id}`) === 2)
})
