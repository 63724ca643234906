/** How long something waits that has failed once, twice ..., in ms. After that, as long as the last says. */
const WAITS = [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000]

/** What has failed for so long is not tried again, in ms. */
const LONGEST_TRYING: number = 24 * 60 * 60 * 1_000

/** Something that is tried until it succeeds. */
export interface Tried {
  /** How many tries have failed. */
  failures: number
  /** When the first of them failed. */
  failedAt: number
}

/** All in it wait equally long. So the first that was added is the first that is due. */
class Queue<Item> {
  readonly #wait: number
  #entries: Array<{ readonly item: Item; readonly dueAt: number }> = []

  constructor(wait: number) {
    this.#wait = wait
  }

  get size(): number {
    return this.#entries.length
  }

  /** When its first one is due; `Infinity` if it is empty. */
  get dueAt(): number {
    return this.#entries[0]?.dueAt ?? Infinity
  }

  push(item: Item, now: number): void {
    this.#entries.push({ item, dueAt: now + this.#wait })
  }

  shift(): Item | undefined {
    return this.#entries.shift()?.item
  }

  keep(isWanted: (item: Item) => boolean): void {
    this.#entries = this.#entries.filter(({ item }) => isWanted(item))
  }
}

/** What has to be tried, for the first time or once more. What was due first comes first. */
export class Retries<Item extends Tried> {
  readonly #fresh = new Queue<Item>(0)
  /** One for each of the waits, in this order. */
  readonly #queues = [this.#fresh, ...WAITS.map((wait) => new Queue<Item>(wait))]

  /** How many have never failed. */
  get fresh(): number {
    return this.#fresh.size
  }

  /** When the next one is due; `Infinity` if there is none. */
  get dueAt(): number {
    return this.#next.dueAt
  }

  /** Adds what has failed as often as it says. */
  add(item: Item, now: number): void {
    const level = Math.min(item.failures, this.#queues.length - 1)
    this.#queues[level]?.push(item, now)
  }

  /**
   * A try has failed: adds it, to be tried again.
   * @returns `false` if it has failed for too long, and is not in here
   */
  failed(item: Item, now: number): boolean {
    if (item.failures === 0) item.failedAt = now
    item.failures++
    if (now - item.failedAt >= LONGEST_TRYING) return false
    this.add(item, now)
    return true
  }

  /** @returns the next one, which is in here no longer; `undefined` if none is due */
  take(now: number): Item | undefined {
    const next = this.#next
    return next.dueAt <= now ? next.shift() : undefined
  }

  /** Forgets the others. */
  keep(isWanted: (item: Item) => boolean): void {
    for (const queue of this.#queues) queue.keep(isWanted)
  }

  get #next(): Queue<Item> {
    return this.#queues.reduce((next, queue) => (queue.dueAt < next.dueAt ? queue : next))
  }
}
