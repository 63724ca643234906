import assert from 'node:assert/strict'
import Fastify from 'fastify'
import { connectRedis } from '../../../lib/redis/connect.js'
import { Names } from '../../../lib/redis/names.js'
import type { Redis, Script } from '../../../lib/redis/redis.js'
import { CLAIM } from '../../../lib/redis/scripts/claim.js'
import { DONE } from '../../../lib/redis/scripts/done.js'
import { EXTEND } from '../../../lib/redis/scripts/extend.js'
import { OTHERS } from '../../../lib/redis/scripts/others.js'
import { RENEW } from '../../../lib/redis/scripts/renew.js'
import { KEPT } from '../../../lib/redis/scripts/shared.js'
import { FakeClock } from '../time/fake-clock.js'
import { CLIENTS } from './clients.js'
import { type Cleanup, startRedis } from './redis-server.js'

export const LEASE = 60_000
export const { nodes, dead, info, fence } = new Names('wsl')

/** What RENEW answers. */
export type Renewed = [
  leaseEnd: string,
  fence: string,
  now: number,
  live: string[][],
  expired: string[],
  orphaned: string[],
]

/** A Redis with the scripts. No key of it may live for ever. */
export class Scripts {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async renew(node: string, register = ''): Promise<Renewed> {
    const told = `{"of":"${node}"}`
    return (await this.#run(
      RENEW,
      [nodes, dead, info, fence],
      node,
      LEASE,
      told,
      register,
    )) as Renewed
  }

  async others(node: string): Promise<string[][]> {
    return (await this.#run(OTHERS, [nodes, info], node)) as string[][]
  }

  /** By a survivor that only claims. @param toldAt when its renewal has named the node, if not now */
  async claim(node: string, toldAt?: number): Promise<string> {
    const at = toldAt ?? (await this.now())
    await this.#redis.command('ZADD', nodes, at + LEASE, 'survivor')
    await this.#redis.command('PEXPIRE', nodes, KEPT)
    const fence = await this.claimUnseen(node, at)
    await this.#redis.command('ZREM', nodes, 'survivor')
    return fence
  }

  /** The same, where Redis need not know of that renewal. */
  async claimUnseen(node: string, toldAt: number): Promise<string> {
    const keys: [string, ...string[]] = [nodes, dead, info, fence]
    return (await this.#run(CLAIM, keys, node, LEASE, 'survivor', toldAt)) as string
  }

  async extend(node: string, of: string): Promise<unknown> {
    return this.#run(EXTEND, [dead, info], node, LEASE, of)
  }

  async done(node: string, of = ''): Promise<unknown> {
    return this.#run(DONE, [nodes, dead, info], node, of)
  }

  async now(): Promise<number> {
    const lua = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)"
    return Number(await this.#redis.run({ lua }, ['{c}']))
  }

  /** As if so much time had passed for it. */
  async age(key: string, node: string, by: number): Promise<void> {
    await this.#redis.command('ZINCRBY', key, -by, node)
  }

  async command(name: string, key: string, ...args: Array<string | number>): Promise<unknown> {
    return this.#redis.command(name, key, ...args)
  }

  async #run(
    script: Script,
    keys: [string, ...string[]],
    ...args: Array<string | number>
  ): Promise<unknown> {
    const reply = await this.#redis.run(script, keys, ...args)
    for (const key of keys) assert.notEqual(await this.#redis.command('PTTL', key), -1, key)
    return reply
  }
}

export async function scripts(t: Cleanup): Promise<Scripts> {
  const server = await startRedis(t)
  const { client, quit } = await CLIENTS['ioredis 6']!(server.port)
  const redis = connectRedis(client, new FakeClock(), Fastify().log)
  t.after(async () => {
    await redis.close()
    quit()
  })
  return new Scripts(redis)
}
