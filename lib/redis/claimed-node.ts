import type { DurableRoute } from '../cluster/cluster.js'
import { cut } from '../facts/cut.js'
import { LOG_LINES, type LogLine } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { Deferred } from '../platform/deferred.js'
import type { Claim } from './claim.js'
import type { Cleanups } from './cleanups.js'
import type { Here } from './here.js'
import { fromText, recordOf } from './record.js'
import { sweepKeys } from './sweep.js'

/** How many records are read at once. */
const PAGE = 100

/** The cursor of HSCAN at the beginning, and at the end. */
const START = '0'

/** What stands for the name of a record that cannot be read. */
const UNREADABLE = '(unreadable)'

/** The most bytes of names in a log line. */
const MOST_OF_NAMES = 200

/** What the cleaning of a node needs. */
export interface Cleaner {
  readonly here: Here
  readonly cleanups: Cleanups
  /** The routes of this server, by the name of their records. */
  readonly routes: ReadonlyMap<string, DurableRoute>
}

/** A dead node that is claimed: releases its records, and takes out of Redis all that it had there. */
export class ClaimedNode {
  readonly #cleaner: Cleaner
  readonly #claim: Claim
  /** The ids of the records whose release has to succeed. */
  readonly #owed = new Set<string>()
  /** The ids of records for which there is no route here, and their names. */
  readonly #foreign = new Map<string, string>()
  readonly #allTried = new Deferred<void>()
  #noneOwed: Deferred<void> | undefined
  #released = 0

  constructor(cleaner: Cleaner, claim: Claim) {
    this.#cleaner = cleaner
    this.#claim = claim
    void claim.over.then(() => cleaner.cleanups.forgetUnwanted())
  }

  /** Resolves when each release has had its first try: what is left waits, and there is room for another node. */
  get allTried(): Promise<void> {
    return this.#allTried.promise
  }

  /**
   * Cleans the node, as long as the claim is held.
   * @returns whether it was given back, for another version of the app
   */
  async clean(): Promise<boolean> {
    const claim = this.#claim
    const { names, redis } = this.#cleaner.here
    // Until it finds no more: a Redis that has taken over may have lost its place in the list.
    while (await this.#releaseAll()) {
      this.#allTried.resolve()
      await Promise.race([this.#untilNoneOwed(), claim.over])
    }
    this.#allTried.resolve()
    // Swept first, deregistered last: if this node dies in between, another one does both.
    if (claim.isHeld) await claim.whileHeld(() => sweepKeys(redis, names, claim.node))
    const isForeign = claim.isHeld && this.#foreign.size > 0
    if (isForeign) await claim.giveBack()
    const isClean = claim.isHeld && (await claim.done())
    this.#logEnd(isForeign, isClean)
    return isForeign
  }

  /**
   * Begins to release all records that it finds.
   * @returns whether it has found one
   */
  async #releaseAll(): Promise<boolean> {
    const claim = this.#claim
    const { cleanups, here } = this.#cleaner
    const key = here.names.durableOf(claim.node)
    let hasFound = false
    let cursor: string | undefined
    while (claim.isHeld && cursor !== START) {
      const at = cursor ?? START
      const page = await claim.whileHeld(() => here.redis.command('HSCAN', key, at, 'COUNT', PAGE))
      if (page === undefined) break
      const [next, words] = page as [string, string[]]
      for (let i = 0; i < words.length; i += 2) {
        if (this.#release(words[i] as string, words[i + 1] as string)) hasFound = true
      }
      await cleanups.allBegun()
      cursor = next
    }
    return hasFound
  }

  #release(id: string, text: string): boolean {
    if (this.#owed.has(id) || this.#foreign.has(id)) return false
    const { cleanups, routes } = this.#cleaner
    const { fence, node } = this.#claim
    const recorded = fromText(text)
    const route = recorded && routes.get(recorded.name)
    if (recorded === undefined || route === undefined) {
      this.#foreign.set(id, recorded?.name ?? UNREADABLE)
      return false
    }
    this.#owed.add(id)
    cleanups.add({
      failures: 0,
      failedAt: 0,
      route,
      record: recordOf(recorded, { id, node, fence, survivor: true }),
      isWanted: () => this.#claim.isHeld && this.#owed.has(id),
      forget: () => this.#forget(id),
    })
    return true
  }

  /** Its place is not free before Redis knows: so only as many can be released twice as run at once. */
  async #forget(id: string): Promise<void> {
    const { names, redis } = this.#cleaner.here
    const claim = this.#claim
    await claim.whileHeld(() => redis.command('HDEL', names.durableOf(claim.node), id))
    if (!this.#owed.delete(id)) return
    this.#released++
    if (this.#owed.size === 0) this.#noneOwed?.resolve()
  }

  #untilNoneOwed(): Promise<void> {
    if (this.#owed.size === 0) return Promise.resolve()
    this.#noneOwed = new Deferred()
    return this.#noneOwed.promise
  }

  #logEnd(isForeign: boolean, isClean: boolean): void {
    const released = this.#released
    if (isClean) return this.#log(LOG_LINES.clusterCleaned, { released })
    if (!isForeign) return this.#log(LOG_LINES.clusterClaimLost, { released })
    const names = cut([...new Set(this.#foreign.values())].join(), MOST_OF_NAMES)
    this.#log(LOG_LINES.clusterForeign, { released, left: this.#foreign.size, names })
  }

  #log(line: LogLine, about: object): void {
    const { id, log } = this.#cleaner.here
    logSafely(log, line, { node: id, dead: this.#claim.node, ...about })
  }
}
