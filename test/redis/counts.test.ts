import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counts } from '../../lib/redis/counts.js'
import { systemClock } from '../../lib/time/clock.js'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto, TestNode } from '../support/redis/test-node.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

function countsOf(node: TestNode, open: number): Counts {
  return new Counts(node, node.mail, { stats: () => ({ open }) as never })
}

test('each node that is alive tells how many connections it has, and of who does not answer nothing is known', async (t) => {
  const server = await startRedis(t)
  const clock = new FakeClock()
  const a = countsOf(await TestNode.start(t, server, { id: 'a', clock }), 2)
  countsOf(await TestNode.start(t, server, { id: 'b' }), 3)
  const db = lookInto(t, server)
  await db.zadd('wsl:{c}:nodes', 1, 'dead', 9e15, 'frozen', 9e15, 'deaf')
  const frozen = lookInto(t, server)
  const heard: string[] = []
  frozen.on('message', (channel: string) => void heard.push(channel))
  await frozen.subscribe('wsl:n:frozen', 'wsl:n:a')
  const counting = a.countOpen()
  await until(() => heard.includes('wsl:n:frozen') && heard.includes('wsl:n:a'))
  // What was answered has been written to all who hear it, before Redis reads the next command.
  await db.ping()
  await clock.advance(2_000)
  const counts = await counting
  assert.deepEqual(
    new Map(counts),
    new Map([
      ['a', 2],
      ['deaf', undefined],
      ['frozen', undefined],
      ['b', 3],
    ]),
  )
})

test('it rejects without Redis', async (t) => {
  const server = await startRedis(t)
  const a = countsOf(await TestNode.start(t, server, { clock: systemClock }), 2)
  await server.kill()
  await assert.rejects(a.countOpen(), { code: 'FST_ERR_WSL_CLUSTER_UNAVAILABLE' })
})
