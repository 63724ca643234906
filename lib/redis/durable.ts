import type { ClusterNode, DurableEntry, DurableHold } from '../cluster/cluster.js'
import { MOST_PER_TURN } from '../core/budgets.js'
import { clusterUnavailable, withRetryAfter } from '../errors.js'
import { nextTurn } from '../platform/real-time.js'
import { forEachAlone } from '../platform/throw-later.js'
import type { Cleanups } from './cleanups.js'
import type { Here, Part } from './here.js'
import { Hold, type HoldOwner } from './hold.js'
import { Ledger } from './ledger.js'
import { toText } from './record.js'

/** In seconds. */
const RETRY_AFTER = 1

/** The records of this node, and their releases. */
export class Durable implements Part, HoldOwner, Pick<ClusterNode, 'record'> {
  readonly here: Here
  readonly cleanups: Cleanups
  readonly ledger: Ledger
  readonly holds: Set<Hold> = new Set()
  #hasLeft = false

  constructor(here: Here, cleanups: Cleanups) {
    this.here = here
    this.cleanups = cleanups
    this.ledger = new Ledger(here)
  }

  async record(entry: DurableEntry): Promise<DurableHold> {
    const { fence, isConnected } = this.here
    const text = toText(entry, fence)
    if (this.#hasLeft || !isConnected) throw unavailable('this node is cut off from it')
    const hold = new Hold(this, entry, text)
    this.holds.add(hold)
    try {
      const isWritten = await this.ledger.write(hold)
      // A survivor may have claimed the node right after that.
      if (isWritten && hold.isWanted() && hold.node === this.here.id) return hold
    } catch (error) {
      // It may be written all the same, later.
      hold.cancel()
      throw error
    }
    hold.cancel()
    throw unavailable('it has taken this node for dead')
  }

  fenced(): void {
    const holds = [...this.holds]
    this.holds.clear()
    for (const hold of holds) hold.fence()
    this.cleanups.forgetUnwanted()
    void endAll(holds)
  }

  cutOff(): void {
    void endAll([...this.holds].filter((hold) => hold.endsCutOff))
  }

  writeAgain(): void {
    this.ledger.writeAgain(this.holds)
  }

  /** @throws (rejects) if releases have failed, and their records are left to survivors */
  async leave(): Promise<void> {
    this.#hasLeft = true
    const stopped = this.cleanups.stop()
    if (this.holds.size > 0) await stopped
    const count = this.holds.size
    await this.ledger.close(count === 0)
    if (count > 0) throw new Error(`${count} durable releases are left to other nodes`)
  }
}

/** Ends the connections of some holds in each turn of the loop. */
async function endAll(holds: readonly Hold[]): Promise<void> {
  for (let at = 0; at < holds.length; at += MOST_PER_TURN) {
    forEachAlone(holds.slice(at, at + MOST_PER_TURN), (hold) => hold.endConnection())
    await nextTurn()
  }
}

function unavailable(why: string): Error {
  return withRetryAfter(clusterUnavailable(why), RETRY_AFTER)
}
