import { Batch } from './batch.js'
import type { Here } from './here.js'
import { MARK } from './scripts/mark.js'

/** Something that stands, or should stand, in the node's own set of keys. */
export interface Marked {
  /** How it stands there: see sweep.ts. */
  readonly mark: string
  readonly isWanted: boolean
  /** Whether it may stand there. */
  isMarked: boolean
}

/**
 * The node's own set of keys. Whatever the node keeps elsewhere in Redis stands here before it stands there, and longer:
 * so whoever sweeps the node finds all of it.
 */
export class Marks {
  readonly #here: Here
  readonly #batch: Batch<Marked, number | undefined>

  constructor(here: Here) {
    this.#here = here
    this.#batch = new Batch(here.clock, async (marked) => this.#write(marked))
  }

  /**
   * Puts it into the set if it is wanted, and takes it out if not: as it is when the batch is written. So what comes and
   * goes within one costs nothing.
   * @returns how far Redis's clock is ahead of ours, in µs, and the time that the call was on its way; `undefined` if it
   * was not put in: it is not wanted, or a survivor has the node
   */
  async update(marked: Marked): Promise<number | undefined> {
    return this.#batch.add(marked)
  }

  async #write(all: readonly Marked[]): Promise<Array<number | undefined>> {
    const { clock, id, names, redis } = this.#here
    const wanted = new Set(all.filter((one) => one.isWanted))
    const unwanted = all.filter((one) => !one.isWanted && one.isMarked)
    const marks = [...wanted, ...unwanted].map(({ mark }) => mark)
    if (marks.length === 0) return []
    for (const one of wanted) one.isMarked = true
    // Not when it is answered: our loop may stand still until it sees that.
    const sentAt = clock.now() * 1_000
    const answer = await redis.run(
      MARK,
      [names.sealOf(id), names.keysOf(id)],
      wanted.size,
      ...marks,
    )
    if (answer === 'sealed') return []
    for (const one of unwanted) one.isMarked = false
    return all.map((one) => (wanted.has(one) ? Number(answer) - sentAt : undefined))
  }
}
