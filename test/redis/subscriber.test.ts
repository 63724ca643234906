import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { connectRedis } from '../../lib/redis/connect.js'
import type { Redis } from '../../lib/redis/redis.js'
import { CLIENTS } from '../support/redis/clients.js'
import { lineTo, type RedisLine } from '../support/redis/line.js'
import { type RedisServer, startRedis, tell } from '../support/redis/redis-server.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

/** Between two looks whether we still hear. */
const LOOK = 10_000

interface World {
  readonly server: RedisServer
  readonly line: RedisLine
  readonly clock: FakeClock
  readonly redis: Redis
  readonly lines: readonly LogLine[]
  readonly heard: string[]
}

async function world(t: TestContext, name: string): Promise<World> {
  const server = await startRedis(t)
  const line = await lineTo(t, server.port)
  const clock = new FakeClock()
  const { client, quit } = await CLIENTS[name]!(line.port)
  const { lines, fastify } = logLines()
  const redis = connectRedis(client, clock, Fastify(fastify).log)
  t.after(async () => {
    await redis.close()
    quit()
    assert.equal(clock.pending, 0)
  })
  const heard: string[] = []
  await redis.subscribe('a', (message) => heard.push(message))
  return { server, line, clock, redis, lines, heard }
}

/**
 * Moves on to the next look, and waits for what Redis says: to the call and, on another connection, to who hears. Redis
 * may write that after the answer to a first PING that it has read together with the call.
 */
async function look({ clock, redis }: World): Promise<void> {
  await clock.advance(LOOK)
  await redis.command('PING', 'a')
  await redis.command('PING', 'a')
}

/** What Redis calls the connection that hears. */
async function idOfSubscriber({ server }: World): Promise<string | undefined> {
  return /id=\d+/.exec(await tell(server.port, 'CLIENT LIST TYPE pubsub'))?.[0]
}

for (const name of Object.keys(CLIENTS)) {
  test(`${name}: a connection that was dropped silently is replaced`, async (t) => {
    const it = await world(t, name)
    const { server, line, lines, heard } = it
    line.deafen()
    await look(it)
    await look(it)
    assert.deepEqual(lines, [])
    await look(it)
    await untilAsync(async () => (await tell(server.port, 'PUBLISH a 1')) !== ':0\r\n')
    await until(() => heard.length > 0)
    assert.deepEqual(heard, ['1'])
    assert.equal(lines.length, 1)
    assert.match(JSON.stringify(lines[0]), /has not heard 2 messages to itself/)
    for (let i = 0; i < 5; i++) await look(it)
    assert.equal(lines.length, 1)
  })
}

test('a connection that is well stays, and nobody hears the calls', async (t) => {
  const it = await world(t, 'ioredis 6')
  const before = await idOfSubscriber(it)
  for (let i = 0; i < 5; i++) await look(it)
  assert.notEqual(before, undefined)
  assert.equal(await idOfSubscriber(it), before)
  assert.deepEqual(it.heard, [])
})

test('while Redis is away it is not the connection that is judged', async (t) => {
  const it = await world(t, 'node-redis 6')
  await it.server.kill()
  await until(() => it.lines.length === 1)
  for (let i = 0; i < 5; i++) await it.clock.advance(LOOK)
  assert.equal(it.lines.length, 1)
})

test('who hears nothing any more does not call', async (t) => {
  const it = await world(t, 'ioredis 6')
  await it.redis.unsubscribe('a')
  for (let i = 0; i < 5; i++) await look(it)
  assert.deepEqual(it.lines, [])
})
