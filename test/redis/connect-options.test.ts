import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { Redis as Ioredis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis-5'
import type { RedisLike } from '../../lib/redis/client.js'
import { connectRedis } from '../../lib/redis/connect.js'
import type { Redis } from '../../lib/redis/redis.js'
import { startRedis, tell } from '../support/redis/redis-server.js'
import { logLines } from '../support/servers/log-lines.js'
import { patientClock } from '../support/time/patient-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

function connected(t: TestContext, client: RedisLike): Redis {
  const redis = connectRedis(client, patientClock, Fastify(logLines().fastify).log)
  t.after(() => redis.close())
  return redis
}

type AppClient = RedisLike & { disconnect(): void }

const IOREDIS: Readonly<Record<string, (port: number) => AppClient>> = {
  lazyConnect: (port) => new Ioredis({ port, lazyConnect: true }),
  'no offline queue': (port) => new Ioredis({ port, enableOfflineQueue: false }),
  'no autoResubscribe': (port) => new Ioredis({ port, autoResubscribe: false }),
  'no retries': (port) => new Ioredis({ port, retryStrategy: () => null }),
  keyPrefix: (port) => new Ioredis({ port, keyPrefix: 'app:' }),
  stringNumbers: (port) => new Ioredis({ port, stringNumbers: true }),
  enableAutoPipelining: (port) => new Ioredis({ port, enableAutoPipelining: true }),
  'maps as objects': (port) => new Ioredis({ port, replyMapping: 'resp3' }),
}

for (const [name, create] of Object.entries(IOREDIS)) {
  test(`ioredis with ${name}: whatever the app has chosen, channels are heard after an outage`, async (t) => {
    const server = await startRedis(t)
    const client = create(server.port)
    client.on('error', () => {})
    t.after(() => client.disconnect())
    const redis = connected(t, client)
    const heard: string[] = []
    await redis.subscribe('a', (message) => heard.push(message))
    await untilAsync(async () => (await redis.publish('a', '1').catch(() => 0)) === 1)
    await redis.command('HSET', '{h}', 'x', 1)
    assert.deepEqual(await redis.command('HGETALL', '{h}'), ['x', '1'])
    await server.kill()
    await server.start()
    await untilAsync(async () => (await tell(server.port, 'PUBLISH a 2')) === ':1\r\n')
    await until(() => heard.includes('2'))
  })
}

type NodeRedis = RedisLike & { connect(): Promise<unknown>; destroy(): void }

const NODE_REDIS: Readonly<Record<string, (options: object) => NodeRedis>> = {
  'node-redis 6': (options) => createClient(options),
  'node-redis 5': (options) => createClient5(options),
}

for (const [name, create] of Object.entries(NODE_REDIS)) {
  test(`${name} that tries once: channels are heard after an outage`, async (t) => {
    const server = await startRedis(t)
    const client = create({
      disableOfflineQueue: true,
      socket: { port: server.port, reconnectStrategy: false },
    })
    client.on('error', () => {})
    const redis = connected(t, client)
    const heard: string[] = []
    await redis.subscribe('a', (message) => heard.push(message))
    await server.kill()
    await server.start()
    await untilAsync(async () => (await tell(server.port, 'PUBLISH a 2')) === ':1\r\n')
    await until(() => heard.includes('2'))
  })

  test(`${name}: buffers come as strings`, async (t) => {
    const { port } = await startRedis(t)
    const client = create({ socket: { port }, commandOptions: { typeMapping: { 36: Buffer } } })
    client.on('error', () => {})
    await client.connect()
    t.after(() => client.destroy())
    const redis = connected(t, client)
    await redis.command('SADD', '{s}', 'ü')
    assert.deepEqual(await redis.command('SMEMBERS', '{s}'), ['ü'])
  })
}

for (const [name, create] of Object.entries(NODE_REDIS)) {
  test(`${name}: Redis is away at the start`, async (t) => {
    const server = await startRedis(t)
    await server.kill()
    const client = create({ socket: { port: server.port } })
    client.on('error', () => {})
    const connecting = client.connect()
    t.after(() => client.destroy())
    const redis = connected(t, client)
    const heard: string[] = []
    const subscribing = redis.subscribe('a', (message) => heard.push(message))
    await server.start()
    await Promise.allSettled([connecting, subscribing])
    await untilAsync(async () => (await tell(server.port, 'PUBLISH a 2')) === ':1\r\n')
    await until(() => heard.includes('2'))
  })
}
