import type { Redis, Script } from '../../../lib/redis/redis.js'
import { RENEW } from '../../../lib/redis/scripts/renew.js'

/** A renewal that waits for its answer. */
export interface AskedRenewal {
  readonly node: string
  readonly registers: boolean
  answer(reply: unknown): void
  fail(): void
}

/** A Redis that answers when a test says so. */
export class FakeRedis implements Redis {
  readonly countsHearers = true
  readonly renewals: AskedRenewal[] = []
  /** How often a node has left. */
  done = 0
  reconnect: () => void = () => {}

  async run(
    script: Script,
    _keys: unknown,
    ...args: ReadonlyArray<string | number>
  ): Promise<unknown> {
    if (script !== RENEW) {
      this.done++
      return 1
    }
    return new Promise((resolve, reject) => {
      this.renewals.push({
        node: String(args[0]),
        registers: args[3] === '1',
        answer: resolve,
        fail: () => reject(new Error('Redis says no')),
      })
    })
  }

  onReconnect(callback: () => void): void {
    this.reconnect = callback
  }

  async command(): Promise<unknown> {
    return 'OK'
  }

  async publish(): Promise<number> {
    return 0
  }

  async subscribe(): Promise<void> {}
  async unsubscribe(): Promise<void> {}
  async close(): Promise<void> {}
}
