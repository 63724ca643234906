import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import type { LifecycleError } from '../../lib/errors.js'
import { connectRedis } from '../../lib/redis/connect.js'
import type { Redis } from '../../lib/redis/redis.js'
import { CLIENTS, type Connect } from '../support/redis/clients.js'
import { type RedisServer, startRedis, tell } from '../support/redis/redis-server.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { patientClock } from '../support/time/patient-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

interface Connected {
  readonly redis: Redis
  readonly lines: readonly LogLine[]
}

async function connected(
  t: TestContext,
  connect: Connect,
  { port }: RedisServer,
  clock = patientClock,
): Promise<Connected> {
  const { client, quit } = await connect(port)
  const { lines, fastify } = logLines()
  const redis = connectRedis(client, clock, Fastify(fastify).log)
  t.after(async () => {
    await redis.close()
    quit()
  })
  return { redis, lines }
}

async function refused(asked: Promise<unknown>): Promise<LifecycleError> {
  const error: unknown = await asked.then(
    () => assert.fail('Expected a rejection'),
    (error: unknown) => error,
  )
  return error as LifecycleError
}

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name}: commands and scripts, with replies that are alike`, async (t) => {
    const { redis } = await connected(t, connect, await startRedis(t))
    assert.equal(await redis.command('SET', '{a}', 'ü'), 'OK')
    assert.equal(await redis.command('GET', '{a}'), 'ü')
    assert.equal(await redis.command('GET', '{b}'), null)
    assert.equal(await redis.command('INCR', '{n}'), 1)
    await redis.command('HSET', '{h}', 'x', 1, 'y', 2)
    assert.deepEqual(await redis.command('HGETALL', '{h}'), ['x', '1', 'y', '2'])
    assert.deepEqual(await redis.command('HSCAN', '{h}', 0, 'COUNT', 100), [
      '0',
      ['x', '1', 'y', '2'],
    ])
    await redis.command('SADD', '{s}', 'one')
    assert.deepEqual(await redis.command('SMEMBERS', '{s}'), ['one'])
    const lua = "return {KEYS[1], ARGV[1], ARGV[2], false, {1, 'a'}, redis.call('TIME')[3]}"
    assert.deepEqual(await redis.run({ lua }, ['{a}'], 'b', 3), ['{a}', 'b', '3', null, [1, 'a']])
  })

  test(`${name}: what Redis refuses is told in the cause`, async (t) => {
    const { redis } = await connected(t, connect, await startRedis(t))
    const error = await refused(redis.run({ lua: "return redis.error_reply('MINE no')" }, ['{a}']))
    assert.equal(error.code, 'FST_ERR_WSL_CLUSTER_UNAVAILABLE')
    assert.equal(error.statusCode, 503)
    assert.deepEqual(error.headers, { 'retry-after': '1' })
    assert.equal(error.message, 'Redis cannot be asked: EVAL has failed')
    assert.match(String(error.cause), /MINE no/)
  })

  test(`${name}: hears what is published, until it unsubscribes`, async (t) => {
    const server = await startRedis(t)
    const one = (await connected(t, connect, server)).redis
    const other = (await connected(t, connect, server)).redis
    const heard: string[] = []
    await one.subscribe('a', (message) => heard.push(`a ${message}`))
    await one.subscribe('b', (message) => heard.push(`b ${message}`))
    assert.equal(await other.publish('a', '1'), 1)
    assert.equal(await one.publish('b', '2'), 1)
    await until(() => heard.length === 2)
    assert.deepEqual(heard, ['a 1', 'b 2'])
    await one.unsubscribe('a')
    assert.equal(await other.publish('a', '3'), 0)
    await one.close()
    await until(() => heard.length === 2)
  })

  test(`${name}: finds Redis again, hears as before, and says so`, async (t) => {
    const server = await startRedis(t)
    const { redis, lines } = await connected(t, connect, server)
    let reconnects = 0
    redis.onReconnect(() => reconnects++)
    const heard: string[] = []
    await redis.subscribe('a', (message) => heard.push(message))
    for (const round of [1, 2]) {
      await server.kill()
      await until(() => lines.length === round)
      await server.start()
      await until(() => reconnects === round)
      await hearsAgain(server, 'a')
      await tell(server.port, `PUBLISH a ${round}`)
      await until(() => heard.length === round)
    }
    assert.deepEqual(heard, ['1', '2'])
    assert.equal(reconnects, 2)
    assert.deepEqual(
      lines.map(({ level }) => level),
      [40, 40],
    )
  })

  test(`${name}: what Redis has answered while this process stood still counts`, async (t) => {
    const server = await startRedis(t)
    const clock = new FakeClock()
    const { redis } = await connected(t, connect, server, clock)
    const answer = redis.command('GET', '{a}')
    // Node-redis writes a little later, at the latest in the next turn.
    await turns(name.startsWith('node-redis') ? 1 : 0)
    // From here on this process stands still. Whoever else asks is answered later.
    for (let asked = 0; asked < 2; asked++) {
      execFileSync('redis-cli', ['-p', String(server.port), 'PING'])
    }
    clock.stall(2_000)
    await clock.advance(0)
    assert.equal(await answer, null)
  })

  test(`${name}: a Redis that stands still is asked for 2 s`, async (t) => {
    const server = await startRedis(t)
    const clock = new FakeClock()
    const { redis } = await connected(t, connect, server, clock)
    server.pause()
    const refusals = [
      refused(redis.command('GET', '{a}')),
      refused(redis.run({ lua: 'return 1' }, ['{a}'])),
      refused(redis.publish('a', 'b')),
      refused(redis.subscribe('a', () => {})),
    ]
    let settled = 0
    for (const each of refusals) void each.then(() => settled++)
    await clock.advance(1_999)
    assert.equal(settled, 0)
    await clock.advance(1)
    const errors = await Promise.all(refusals)
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['GET', 'EVAL', 'PUBLISH', 'SUBSCRIBE'].map(
        (name) => `Redis cannot be asked: it has not answered ${name} within 2000 ms`,
      ),
    )
    server.resume()
    assert.equal(await redis.command('GET', '{a}'), null)
    assert.deepEqual([clock.pending, clock.periods.length], [1, 1])
    await hearsAgain(server, 'a')
  })
}

/** A client may subscribe again later than it says that it is connected. */
async function hearsAgain({ port }: RedisServer, channel: string): Promise<void> {
  await untilAsync(async () => (await tell(port, `PUBSUB NUMSUB ${channel}`)).includes(':1'))
}
