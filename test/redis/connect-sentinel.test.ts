import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { Redis as Ioredis } from 'ioredis'
import { Redis as Ioredis5 } from 'ioredis-5'
import { Redis as Iovalkey } from 'iovalkey'
import { createSentinel } from 'redis'
import { connectRedis } from '../../lib/redis/connect.js'
import { type AppClient, ofIoredis, ofNodeRedis } from '../support/redis/clients.js'
import { tell } from '../support/redis/redis-server.js'
import { startWatched, WATCHED } from '../support/redis/sentinel.js'
import { logLines } from '../support/servers/log-lines.js'
import { patientClock } from '../support/time/patient-clock.js'
import { until, untilAsync } from '../support/time/timed.js'

const sentinels = (
  port: number,
): { name: string; sentinels: Array<{ host: string; port: number }> } => ({
  name: WATCHED,
  sentinels: [{ host: '127.0.0.1', port }],
})

/** The Sentinel of node-redis 5 cannot be duplicated. */
const CLIENTS: Readonly<Record<string, (port: number) => Promise<AppClient>>> = {
  'ioredis 6': async (port) => ofIoredis(new Ioredis(sentinels(port))),
  'ioredis 5': async (port) => ofIoredis(new Ioredis5(sentinels(port))),
  iovalkey: async (port) => ofIoredis(new Iovalkey(sentinels(port))),
  'node-redis 6': async (port) =>
    ofNodeRedis(
      createSentinel({ name: WATCHED, sentinelRootNodes: [{ host: '127.0.0.1', port }] }),
    ),
}

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name} with a Sentinel: finds the new primary, hears as before, and says so`, async (t) => {
    const watched = await startWatched(t)
    const { port, primary, replica } = watched
    const { client, quit } = await connect(port)
    const redis = connectRedis(client, patientClock, Fastify(logLines().fastify).log)
    t.after(async () => {
      await redis.close()
      quit()
    })
    let reconnects = 0
    redis.onReconnect(() => reconnects++)
    const heard: string[] = []
    await redis.subscribe('a', (message) => heard.push(message))
    assert.equal(await redis.command('SET', '{a}', 1), 'OK')
    assert.equal(await redis.publish('a', '1'), 1)
    await until(() => heard.length === 1)
    await primary.kill()
    await watched.failOver()
    await untilAsync(async () => (await redis.command('SET', '{a}', 2).catch(() => '')) === 'OK')
    assert.equal(await tell(replica.port, 'GET {a}'), '$1\r\n2\r\n')
    await until(() => reconnects > 0)
    await untilAsync(async () => (await redis.publish('a', '2').catch(() => 0)) === 1)
    await until(() => heard.length > 1)
    assert.deepEqual(heard, ['1', '2'])
  })
}
