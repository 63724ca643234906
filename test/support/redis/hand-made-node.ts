import type { TestContext } from 'node:test'
import Fastify from 'fastify'
import { connectRedis } from '../../../lib/redis/connect.js'
import type { Here } from '../../../lib/redis/here.js'
import { Names } from '../../../lib/redis/names.js'
import type { Clock } from '../../../lib/time/clock.js'
import { type LogLine, logLines } from '../servers/log-lines.js'
import { FakeClock } from '../time/fake-clock.js'
import { CLIENTS } from './clients.js'

/** A node that is what a test says it is. */
export interface HandMadeNode extends Here {
  id: string
  fence: number
  isConnected: boolean
  readonly lines: readonly LogLine[]
}

/** @param clock by default one that stands still: no call is given up, however long this machine takes */
export async function handMadeNode(
  t: TestContext,
  port: number,
  id: string,
  clock: Clock = new FakeClock(),
): Promise<HandMadeNode> {
  const { client, quit } = await CLIENTS['ioredis 6']!(port)
  const { lines, fastify } = logLines()
  const { log } = Fastify(fastify)
  const redis = connectRedis(client, clock, log)
  t.after(async () => {
    await redis.close()
    quit()
  })
  const names = new Names('wsl')
  return { id, fence: 1, isConnected: true, names, redis, clock, log, lines }
}
