import { setTimeout as wait } from 'node:timers/promises'
import { now } from './ledger.js'
import { watchRecords } from './records.js'
import { RedisLine } from './redis-line.js'
import type { Act } from './schedule.js'
import type { Stage } from './stage.js'
import { Store } from './store.js'

/** What was written so long before the replica was cut off may not have got there. */
const LAG = 500

/** A primary with a replica, which takes over again and again. */
export class Failovers {
  readonly #stage: Stage
  #primary: Store
  #replica: Store
  /** Between both. */
  #line: RedisLine

  private constructor(stage: Stage, replica: Store, line: RedisLine) {
    this.#stage = stage
    this.#primary = stage.redis
    this.#replica = replica
    this.#line = line
  }

  static async prepare(stage: Stage, folder: string): Promise<Failovers> {
    const replica = await Store.start(folder)
    stage.stores.push(replica)
    const failovers = new Failovers(stage, replica, await RedisLine.to(stage.redis.port))
    await failovers.#replicate()
    return failovers
  }

  /** The primary dies with writes that the replica has not got. */
  async run({ loses, for: time }: Extract<Act, { readonly act: 'failover' }>): Promise<void> {
    const stage = this.#stage
    const since = now() - LAG
    this.#line.state = 'dropped'
    await wait(loses)
    const over = stage.trouble('redis down', 'all')
    const [former, next] = [this.#primary, this.#replica]
    await former.end('SIGKILL')
    await wait(time)
    await next.admin.replicaof('NO', 'ONE')
    stage.redis = next
    stage.ledger.write({ what: 'data lost', since })
    for (const { line } of stage.nodes) {
      line.target = next.port
      line.reset()
    }
    over()
    await watchRecords(stage)
    this.#line.close()
    former.forget()
    await former.start()
    this.#primary = next
    this.#replica = former
    this.#line = await RedisLine.to(next.port)
    await this.#replicate()
  }

  async #replicate(): Promise<void> {
    const { admin } = this.#replica
    await this.#primary.admin.config('SET', 'repl-diskless-sync-delay', '0')
    await admin.replicaof('127.0.0.1', this.#line.port)
    while (!(await admin.info('replication')).includes('master_link_status:up')) await wait(50)
  }
}
