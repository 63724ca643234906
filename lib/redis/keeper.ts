import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { startForAll } from '../platform/context.js'
import { Deferred } from '../platform/deferred.js'
import { toError } from '../platform/thrown.js'
import type { Timer } from '../time/clock.js'
import type { Here, Part } from './here.js'
import { type Marked, Marks } from './marks.js'
import { sweepKeys } from './sweep.js'
import { Trickle } from './trickle.js'

/** How many are written at the same time. A client may hold that many in an outage. */
const MOST_AT_ONCE = 256

/** How long until all is written again, so that nothing reaches its end of 24 h, in ms. */
const REFRESH_EVERY = 3_600_000

/** How far apart log lines of failures are, in ms. */
const LOG_EVERY = 60_000

/** How many are refreshed in a second, and how many are written again after a loss. */
const RATE = { refresh: 100, again: 1_000 }

/** Something that this node keeps in Redis under its name, as long as it is wanted. */
export abstract class Kept implements Marked {
  isWanted = false
  isMarked = false
  /** Whether it may stand in Redis. */
  isWritten = false
  /** Whether Redis may not have it as it is wanted. */
  isDue = false
  isRunning = false
  #rested: Deferred<void> | undefined

  abstract readonly mark: string

  /**
   * Idempotent.
   * @param ahead see {@link Marks.update}
   */
  abstract write(node: string, ahead: number): Promise<unknown>
  /** Idempotent. */
  abstract erase(node: string): Promise<unknown>

  /** Resolves when what is due has been tried. */
  get rested(): Promise<void> {
    this.#rested ??= new Deferred()
    return this.#rested.promise
  }

  rest(): void {
    this.#rested?.resolve()
    this.#rested = undefined
  }

  /** Whether it is as if it had never been there. */
  get isGone(): boolean {
    return !this.isWanted && !this.isMarked && !this.isWritten && !this.isRunning
  }
}

/**
 * Keeps things in Redis as they are wanted. Of each there is at most one call at a time, and the next one writes what is
 * wanted then: so a call that a client has held for long comes before those that say something newer.
 */
export class Keeper implements Part {
  readonly #here: Here
  readonly #marks: Marks
  readonly #items = new Map<string, Kept>()
  /** Those that wait for others to be written. */
  readonly #ready = new Set<Kept>()
  #running = 0
  readonly #again: Trickle<Kept>
  readonly #refresh: Trickle<Kept>
  readonly #hourly: Timer
  #isLeaving = false
  #failureLoggedAt = -Infinity
  readonly #idle = new Deferred<void>()

  constructor(here: Here) {
    const { clock } = here
    const work = (item: Kept): void => this.#makeDue(item)
    const mayWork = (): boolean => here.isConnected
    this.#here = here
    this.#marks = new Marks(here)
    this.#again = new Trickle(clock, RATE.again, work, mayWork)
    this.#refresh = new Trickle(clock, RATE.refresh, work, mayWork)
    const refresh = (): void => this.#refresh.add(this.#items.values())
    this.#hourly = startForAll(() => clock.setInterval(refresh, REFRESH_EVERY))
    this.#hourly.unref()
  }

  find(mark: string): Kept | undefined {
    return this.#items.get(mark)
  }

  put(item: Kept): void {
    item.isWanted = true
    this.#changed(item)
  }

  drop(item: Kept): void {
    item.isWanted = false
    this.#changed(item)
  }

  /** It is not as it should be: it is written again soon. */
  retry(item: Kept): void {
    if (!this.#isLeaving) this.#refresh.add([item])
  }

  /** Perhaps Redis has done it, perhaps not. */
  failed(item: Kept, error: unknown): void {
    this.retry(item)
    const now = this.#here.clock.now()
    if (now - this.#failureLoggedAt < LOG_EVERY) return
    this.#failureLoggedAt = now
    logSafely(this.#here.log, LOG_LINES.clusterKeysNotWritten, { err: toError(error) })
  }

  writeAgain(): void {
    if (!this.#isLeaving) this.#again.add(this.#items.values())
  }

  /** What was written is the survivor's to erase. */
  fenced(): void {}

  /** Nothing of it depends on the lease. */
  cutOff(): void {}

  async leave(): Promise<void> {
    this.#isLeaving = true
    this.#here.clock.clearInterval(this.#hourly)
    this.#again.stop()
    this.#refresh.stop()
    for (const item of this.#ready) item.rest()
    this.#ready.clear()
    // What is being written would come back behind the sweep.
    if (this.#running > 0) await this.#idle.promise
    const { id, names, redis } = this.#here
    await sweepKeys(redis, names, id)
  }

  #changed(item: Kept): void {
    if (this.#forgetIfGone(item) || this.#isLeaving) {
      item.rest()
      return
    }
    this.#items.set(item.mark, item)
    if (this.#here.isConnected) {
      this.#makeDue(item)
      return
    }
    // A client might hold it, and all that follow, for as long as the outage lasts.
    item.isDue = true
    this.#again.add([item])
    if (!item.isRunning) item.rest()
  }

  #makeDue(item: Kept): void {
    item.isDue = true
    if (item.isRunning) return
    this.#ready.add(item)
    this.#startNext()
  }

  #startNext(): void {
    for (const item of this.#ready) {
      if (this.#running === MOST_AT_ONCE) return
      this.#ready.delete(item)
      this.#running++
      void this.#run(item)
    }
  }

  /** Never rejects. */
  async #run(item: Kept): Promise<void> {
    item.isRunning = true
    try {
      while (item.isDue && !this.#isLeaving) {
        item.isDue = false
        await (item.isWanted ? this.#write(item) : this.#erase(item))
      }
    } catch (error) {
      this.failed(item, error)
    }
    item.isRunning = false
    this.#forgetIfGone(item)
    item.rest()
    this.#running--
    this.#startNext()
    if (this.#running === 0 && this.#isLeaving) this.#idle.resolve()
  }

  async #write(item: Kept): Promise<void> {
    const { id } = this.#here
    const ahead = await this.#marks.update(item)
    // Whoever has changed that has also made it due.
    if (ahead === undefined || !item.isWanted || this.#here.id !== id) return
    item.isWritten = true
    await item.write(id, ahead)
  }

  async #erase(item: Kept): Promise<void> {
    if (item.isWritten) {
      await item.erase(this.#here.id)
      item.isWritten = false
    }
    if (!item.isWanted) await this.#marks.update(item)
  }

  #forgetIfGone(item: Kept): boolean {
    if (!item.isGone) return false
    this.#items.delete(item.mark)
    this.#ready.delete(item)
    this.#again.delete(item)
    this.#refresh.delete(item)
    return true
  }
}
