import type { Cluster } from '../cluster/cluster.js'
import { invalidOption } from '../errors.js'
import { kindOf } from '../options/complaints.js'
import type { Clock } from '../time/clock.js'
import { FanOuts } from './fan-outs.js'
import { Group, type Home } from './group.js'
import type { Member } from './membership.js'

/** The groups of one server. */
export class Groups implements Home {
  readonly fanOuts: FanOuts
  readonly inUse: Map<string, Group> = new Map()
  readonly #cluster: Cluster
  readonly #find: (who: unknown) => Member | undefined

  /** @param find tells which connection or session of this server the app means */
  constructor(clock: Clock, cluster: Cluster, find: (who: unknown) => Member | undefined) {
    this.fanOuts = new FanOuts(clock)
    this.#cluster = cluster
    this.#find = find
  }

  /** @throws FST_ERR_WSL_INVALID_OPTION */
  get(name: unknown): Group {
    if (typeof name === 'string') return this.inUse.get(name) ?? new Group(name, this)
    throw invalidOption(
      `Expected the name of a group to be a string, got ${kindOf(name)}, in group()`,
    )
  }

  check(name: string, count: number): void {
    this.#cluster.node?.checkGroups([name], count)
  }

  formed(group: Group): void {
    this.inUse.set(group.name, group)
    this.#cluster.node?.groupFormed(group.name)
  }

  emptied(group: Group): void {
    this.inUse.delete(group.name)
    this.#cluster.node?.groupEmptied(group.name)
  }

  find(who: unknown, where: string): Member {
    const member = this.#find(who)
    if (member !== undefined) return member
    throw invalidOption(
      `Expected a LifecycleSocket or a LifecycleSession of this app, got ${kindOf(who)}, in ${where}`,
    )
  }
}
