import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import type { Here } from './here.js'
import { CLAIM } from './scripts/claim.js'
import { DONE } from './scripts/done.js'
import { EXTEND } from './scripts/extend.js'
import { KEPT } from './scripts/shared.js'

/** Dead nodes that this one cleans up after. All methods reject with FST_ERR_WSL_CLUSTER_UNAVAILABLE. */
export class Claims {
  readonly #here: Here
  readonly #lease: number

  /** @param lease how long a claim lasts without {@link extend}, in ms */
  constructor(here: Here, lease: number) {
    this.#here = here
    this.#lease = lease
  }

  /**
   * Claims a node that a renewal has named. From then on nothing can be written under its name. If this rejects,
   * nobody may have the claim: it is free again a lease later.
   * @param toldAt when that renewal ran, by Redis's clock
   * @returns the fence of the claim; `undefined` if somebody else has it, the node lives, or Redis has lost the renewal
   */
  async claim(node: string, toldAt: number): Promise<number | undefined> {
    const { redis, names, log, id } = this.#here
    const keys = [names.nodes, names.dead, names.info, names.fence] as const
    const fence = (await redis.run(CLAIM, keys, node, this.#lease, id, toldAt)) as string
    if (fence === '') return undefined
    await redis.command('SET', names.sealOf(node), fence, 'PX', KEPT)
    logSafely(log, LOG_LINES.clusterClaimed, { node: id, dead: node })
    return Number(fence)
  }

  /** Keeps the claim for another lease. @returns `false` if somebody else has the node by now */
  async extend(node: string, fence: number): Promise<boolean> {
    const { redis, names } = this.#here
    const keys = [names.dead, names.info] as const
    return (await redis.run(EXTEND, keys, node, this.#lease, fence)) === 1
  }

  /** Anybody may claim the node now. */
  async giveBack(node: string, fence: number): Promise<void> {
    const { redis, names } = this.#here
    await redis.run(EXTEND, [names.dead, names.info], node, 0, fence)
  }

  /** Nothing is left of the node. @returns `false` if somebody else has it by now */
  async done(node: string, fence: number): Promise<boolean> {
    const { redis, names } = this.#here
    const keys = [names.nodes, names.dead, names.info] as const
    return (await redis.run(DONE, keys, node, fence)) === 1
  }
}
