import type { FastifyBaseLogger } from 'fastify'
import { clusterUnavailable, withRetryAfter } from '../errors.js'
import { toError } from '../platform/thrown.js'
import type { Clock } from '../time/clock.js'
import type { Dialect, RedisLike } from './client.js'
import { IoredisDialect } from './ioredis.js'
import {
  NodeRedisClusterDialect,
  NodeRedisDialect,
  NodeRedisSentinelDialect,
} from './node-redis.js'
import type { Redis, Script } from './redis.js'
import { alike } from './replies.js'
import { Subscriber } from './subscriber.js'
import { within } from './within.js'

/** How long Redis may take to answer, in ms. Clients hold commands for longer than that, some of them for ever. */
const ANSWER_TIMEOUT = 2_000

/** In seconds. */
const RETRY_AFTER = 1

/** Makes one duplicate of the client, for SUBSCRIBE. */
export function connectRedis(client: RedisLike, clock: Clock, log: FastifyBaseLogger): Redis {
  return new ConnectedRedis(dialectOf(client, clock), clock, log)
}

function dialectOf(client: RedisLike, clock: Clock): Dialect {
  if ('call' in client) return new IoredisDialect(client)
  if ('masters' in client) return new NodeRedisClusterDialect(client, clock)
  if ('getSentinelNode' in client) return new NodeRedisSentinelDialect(client, clock)
  return new NodeRedisDialect(client, clock)
}

class ConnectedRedis implements Redis {
  readonly #dialect: Dialect
  readonly #clock: Clock
  readonly #subscriber: Subscriber
  readonly #stops: Array<() => void> = []

  constructor(dialect: Dialect, clock: Clock, log: FastifyBaseLogger) {
    this.#dialect = dialect
    this.#clock = clock
    this.#subscriber = new Subscriber(dialect, clock, log)
  }

  get countsHearers(): boolean {
    return !this.#dialect.isCluster
  }

  async run(
    { lua }: Script,
    keys: readonly [string, ...string[]],
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    return this.#send(['EVAL', lua, keys.length, ...keys, ...args], keys[0])
  }

  async command(
    name: string,
    key: string,
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    return this.#send([name, key, ...args], key)
  }

  async publish(channel: string, message: string): Promise<number> {
    const heard = Number(await this.#send(['PUBLISH', channel, message], undefined))
    // A shard tells it to all others, and counts only those who hear it from itself.
    return this.#dialect.isCluster ? Math.max(heard, 1) : heard
  }

  async subscribe(channel: string, heard: (message: string) => void): Promise<void> {
    await this.#ask('SUBSCRIBE', async () => this.#subscriber.subscribe(channel, heard))
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#ask('UNSUBSCRIBE', async () => this.#subscriber.unsubscribe(channel))
  }

  onReconnect(callback: () => void): void {
    this.#stops.push(this.#dialect.onReconnect(callback))
  }

  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    this.#subscriber.close()
  }

  async #send(words: ReadonlyArray<string | number>, key: string | undefined): Promise<unknown> {
    const name = String(words[0])
    return alike(await this.#ask(name, async () => this.#dialect.send(words.map(String), key)))
  }

  /** @param name of the command, for the error: its arguments, and what Redis says, may be secrets */
  async #ask<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const asked = ask().catch((error: unknown) => {
      throw unavailable(`${name} has failed`, toError(error))
    })
    return within(this.#clock, ANSWER_TIMEOUT, asked, () =>
      unavailable(`it has not answered ${name} within ${ANSWER_TIMEOUT} ms`),
    )
  }
}

function unavailable(why: string, cause?: Error): Error {
  const error = withRetryAfter(clusterUnavailable(why), RETRY_AFTER)
  if (cause !== undefined) error.cause = cause
  return error
}
