import type { Redis } from 'ioredis'
import type { DurableRecord } from 'fastify-websocket-lifecycle'
import type { Cleanups } from './events.js'

/** What is left of a demo in Redis is gone after this time, in seconds. */
const LEFT_FOR = 3_600

/** What connections hold outside of their process: each has a seat in Redis, until it is released. */
export class Seats {
  readonly #redis: Redis
  readonly #taken: string
  readonly #cleanups: string
  readonly #node: number

  constructor(redis: Redis, prefix: string, node: number) {
    this.#redis = redis
    this.#taken = `${prefix}:seats`
    this.#cleanups = `${prefix}:cleanups`
    this.#node = node
  }

  async take(id: string): Promise<void> {
    await this.#redis.sadd(this.#taken, id)
    await this.#redis.expire(this.#taken, LEFT_FOR)
  }

  /** A seat can be given back only once. So it does no harm that this may be called again for the same record. */
  async release({ id, data, survivor }: DurableRecord): Promise<void> {
    const wasTaken = await this.#redis.srem(this.#taken, id)
    if (wasTaken === 0 || !survivor) return
    const { node } = data as { node: number }
    await this.#redis.hincrby(this.#cleanups, `${node} ${this.#node}`, 1)
    await this.#redis.expire(this.#cleanups, LEFT_FOR)
  }

  async count(): Promise<number> {
    return this.#redis.scard(this.#taken)
  }

  async cleanups(): Promise<Cleanups[]> {
    const counts = await this.#redis.hgetall(this.#cleanups)
    return Object.entries(counts).map(([pair, count]) => {
      const [of = 0, by = 0] = pair.split(' ').map(Number)
      return { of, by, count: Number(count) }
    })
  }
}
