// Nodes of one process: what the plugin asks of a cluster, noted, and answered as a test wants it.
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type {
  ClusterNode,
  ClusterPlace,
  DurableEntry,
  DurableHold,
  Fenced,
  ForeignUpgrade,
  Placed,
} from '../../../lib/cluster/cluster.js'
import { clusterOf } from '../../../lib/cluster/door.js'
import { during } from './hear.js'

/** A record, and who has it. */
export class Hold implements DurableHold {
  readonly id: string
  readonly entry: DurableEntry
  readonly #events: string[]
  owner: Fenced | undefined

  constructor(entry: DurableEntry, events: string[]) {
    this.id = entry.id
    this.entry = entry
    this.#events = events
  }

  opened(owner: Fenced): void {
    this.owner = owner
    this.#events.push('opened')
  }

  cancel(): void {
    this.#events.push('cancelled')
  }

  async release(): Promise<void> {
    const { data, id, openedAt, route } = this.entry
    const { instance, settings } = route
    const about = { node: 'here', fence: 1, survivor: false }
    await settings.release.call(instance, { id, data, openedAt, name: settings.name, ...about })
    this.#events.push('forgotten')
  }
}

/** Notes what it is asked. */
export class NotingNode implements ClusterNode {
  readonly id = 'here'
  readonly events: string[] = []
  readonly holds: Hold[] = []
  readonly owners: Placed[] = []
  readonly forwarded: Array<{ upgrade: ForeignUpgrade; token: string; here: () => void }> = []
  /** What to await before an upgrade is let in. */
  known: () => Promise<void> = async () => {}
  isElsewhere = false

  groupFormed(name: string): void {
    this.events.push(`formed ${name}`)
  }

  groupEmptied(name: string): void {
    this.events.push(`emptied ${name}`)
  }

  checkGroups(names: readonly string[], count: number): void {
    if (names.includes('') || count > 2) throw new RangeError(`${names.join()} ${count}`)
  }

  async record(entry: DurableEntry): Promise<DurableHold> {
    this.events.push('recording')
    await this.known()
    const hold = new Hold(entry, this.events)
    this.holds.push(hold)
    return hold
  }

  async takePlace(of: string, key: string, max: number, owner: Placed): Promise<ClusterPlace> {
    this.events.push(`place ${of} ${key} ${max}`)
    this.owners.push(owner)
    await this.known()
    return {
      handTo: (next) => {
        this.owners.push(next)
        this.events.push('placed')
      },
      giveBack: () => this.events.push('given back'),
    }
  }

  forward(upgrade: ForeignUpgrade, token: string, here: () => void): boolean {
    this.forwarded.push({ upgrade, token, here })
    return this.isElsewhere
  }

  async countOpen(): Promise<ReadonlyMap<string, number | undefined>> {
    return new Map([[this.id, 1]])
  }
}

/** Makes an app one of several nodes. */
export function join(app: FastifyInstance, node: ClusterNode = new NotingNode()): void {
  clusterOf(app).node = node
}

/** Resolves when a client was lost before its 101. */
export function lostIn(t: TestContext, app: FastifyInstance): Promise<void> {
  return new Promise((resolve) => {
    during(t, app, 'upgrade.lost', () => resolve())
  })
}
