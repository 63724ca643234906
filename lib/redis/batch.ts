import { startForAll } from '../platform/context.js'
import type { Clock } from '../time/clock.js'

/** How long something waits for others that are written with it, in ms. */
const DELAY = 5

/** The most that is written by one call: a script that takes long holds up everybody who uses this Redis. */
const MOST = 256

interface Waiting<Entry, Outcome> {
  readonly entry: Entry
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

/** Collects what is to be written, and writes it together: a call costs Redis far more than what is in it. */
export class Batch<Entry, Outcome> {
  readonly #clock: Clock
  readonly #write: (entries: readonly Entry[]) => Promise<readonly Outcome[]>
  #waiting: Array<Waiting<Entry, Outcome>> = []
  #isDue = false
  readonly #due = (): void => {
    this.#isDue = false
    this.#flush()
  }

  /**
   * @param write is called in nobody's async context. It answers for each entry, in their order. If it rejects, so does
   * each {@link add} of these entries.
   */
  constructor(clock: Clock, write: (entries: readonly Entry[]) => Promise<readonly Outcome[]>) {
    this.#clock = clock
    this.#write = write
  }

  /** Resolves with what came of this entry. What is added first is written first. */
  async add(entry: Entry): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      if (this.#waiting.length === MOST) startForAll(() => this.#flush())
      else if (!this.#isDue) this.#schedule()
    })
  }

  #schedule(): void {
    this.#isDue = true
    startForAll(() => this.#clock.setTimeout(this.#due, DELAY)).unref()
  }

  #flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.#write(waiting.map(({ entry }) => entry)).then(
      (outcomes) => {
        for (const [at, { resolve }] of waiting.entries()) resolve(outcomes[at] as Outcome)
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error)
      },
    )
  }
}
