import type { DurableRecord } from '../api/cluster.js'
import type { DurableEntry, DurableHold, DurableRoute, Fenced } from '../cluster/cluster.js'
import type { Cleanup, Cleanups } from './cleanups.js'
import type { Here } from './here.js'
import type { Ledger, Line } from './ledger.js'
import { fromText, recordOf, type Recorded } from './record.js'

/** What a hold needs of `Durable`. */
export interface HoldOwner {
  readonly here: Here
  readonly cleanups: Cleanups
  readonly ledger: Ledger
  readonly holds: Set<Hold>
}

/** A record of this node: from before the 101 until its release has succeeded, or is a survivor's. */
export class Hold implements DurableHold, Cleanup, Line {
  failures = 0
  failedAt = 0
  readonly id: string
  readonly route: DurableRoute
  /** The name of this node when it was recorded. */
  readonly node: string
  readonly #durable: HoldOwner
  #connection: Fenced | undefined
  readonly #text: string
  /** A survivor has the record. */
  #isFenced = false
  /** There is nothing to release any more. */
  #isDone = false

  constructor(durable: HoldOwner, { id, route }: DurableEntry, text: string) {
    this.id = id
    this.route = route
    this.node = durable.here.id
    this.#text = text
    this.#durable = durable
  }

  get text(): string {
    return this.#isDone ? '' : this.#text
  }

  get record(): DurableRecord {
    const { id, node } = this
    const recorded = fromText(this.#text) as Recorded
    return recordOf(recorded, { id, node, fence: recorded.fence, survivor: false })
  }

  isWanted(): boolean {
    return !this.#isDone && !this.#isFenced
  }

  /** Whether its connection ends when this node is cut off from Redis. */
  get endsCutOff(): boolean {
    return this.route.settings.whenCutOff === 'close'
  }

  opened(connection: Fenced): void {
    this.#connection = connection
    // This may have happened after the record, and before the 101.
    const isCutOff = this.endsCutOff && !this.#durable.here.isConnected
    if (this.#isFenced || isCutOff) this.endConnection()
  }

  endConnection(): void {
    this.#connection?.end('node-fenced')
  }

  fence(): void {
    this.#isFenced = true
  }

  cancel(): void {
    void this.forget()
  }

  async release(): Promise<void> {
    this.#connection = undefined
    if (!this.isWanted()) return
    const { cleanups, here, ledger } = this.#durable
    // A process that stood still hears of the ends of its connections before it hears that it was taken for dead.
    const isOurs = here.isConnected || (await ledger.isOurs(this))
    if (!isOurs || !this.isWanted()) return
    const outcome = await cleanups.tryHere(this)
    if (outcome.status === 'failed') throw outcome.error
  }

  /** Also if a survivor has the record by now: nobody has to release it once more. */
  async forget(): Promise<void> {
    const { holds, ledger } = this.#durable
    this.#isDone = true
    holds.delete(this)
    ledger.update(this)
  }
}
