import { clusterUnavailable } from '../../../lib/errors.js'
import type { Redis, Script } from '../../../lib/redis/redis.js'

/** A Redis behind a client that holds some calls, as if in an outage, says that they have failed, and makes them later. */
export class HeldRedis implements Redis {
  /** Which calls are held, by their first words: a script, or a command. */
  holds: (what: Script | string) => boolean = () => false
  /** Which calls are made, and then said to have failed. */
  loses: (what: Script | string) => boolean = () => false
  /** What an answer waits for. */
  delays: (what: Script | string) => Promise<void> | undefined = () => undefined
  /** All calls that were made. */
  readonly calls: Array<Script | string> = []
  readonly #redis: Redis
  readonly #held: Array<() => Promise<unknown>> = []

  constructor(redis: Redis) {
    this.#redis = redis
  }

  get countsHearers(): boolean {
    return this.#redis.countsHearers
  }

  /** Makes the calls that were held. */
  async release(): Promise<void> {
    this.holds = () => false
    for (const call of this.#held.splice(0)) await call()
  }

  async run(
    script: Script,
    keys: readonly [string, ...string[]],
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    return this.#pass(script, async () => this.#redis.run(script, keys, ...args))
  }

  async command(
    name: string,
    key: string,
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    return this.#pass(name, async () => this.#redis.command(name, key, ...args))
  }

  async publish(channel: string, message: string): Promise<number> {
    return this.#pass('PUBLISH', async () => this.#redis.publish(channel, message))
  }

  async subscribe(channel: string, heard: (message: string) => void): Promise<void> {
    await this.#redis.subscribe(channel, heard)
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#redis.unsubscribe(channel)
  }

  onReconnect(callback: () => void): void {
    this.#redis.onReconnect(callback)
  }

  async close(): Promise<void> {
    await this.#redis.close()
  }

  async #pass<T>(what: Script | string, call: () => Promise<T>): Promise<T> {
    this.calls.push(what)
    const isLost = this.loses(what)
    if (isLost) await call()
    else if (this.holds(what)) this.#held.push(call)
    else {
      const delay = this.delays(what)
      const answer = await call()
      await delay
      return answer
    }
    throw clusterUnavailable('it is held')
  }
}
