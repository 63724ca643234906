import { startForAll } from '../platform/context.js'
import type { Timer } from '../time/clock.js'
import { Batch } from './batch.js'
import type { Here } from './here.js'
import { RECORD } from './scripts/record.js'
import { Trickle } from './trickle.js'

/** How long records are kept after the last sign of their node, in ms. */
const KEPT = 24 * 60 * 60 * 1_000

/** How often a node that writes nothing gives one, in ms. */
const SIGN_EVERY = 60 * 60 * 1_000

/** How many records are written again in a second. */
const AGAIN_RATE = 1_000

/** A record as it has to be in Redis; it is read when it is written. */
export interface Line {
  /** The node under whose name it stands. */
  readonly node: string
  readonly id: string
  /** Empty if it is needed no more. */
  readonly text: string
}

/** The records of this node in Redis, also those under names that it had before. */
export class Ledger {
  readonly #here: Here
  /** By the name of the node. */
  readonly #batches = new Map<string, Batch<Line, unknown>>()
  /** What Redis may not have as it has to be. */
  readonly #due = new Set<Line>()
  readonly #again: Trickle<Line>
  readonly #signs: Timer
  /** Redis did not answer when this node was cut off from it. */
  #isDeaf = false
  #isClosed = false

  constructor(here: Here) {
    const { clock } = here
    this.#here = here
    this.#again = new Trickle<Line>(
      clock,
      AGAIN_RATE,
      (line) => this.update(line),
      () => here.isConnected,
    )
    this.#signs = startForAll(() => clock.setInterval(() => this.#giveSign(), SIGN_EVERY))
    this.#signs.unref()
  }

  /**
   * @returns `false` if a survivor has claimed the node: a record is not written then
   * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE; it may be written all the same
   */
  async write(line: Line): Promise<boolean> {
    return (await this.#batchOf(line.node).add(line)) !== 'sealed'
  }

  /** Whether no survivor has claimed the node, as far as can be known. That Redis does not answer is found out once. */
  async isOurs(line: Line): Promise<boolean> {
    if (this.#isDeaf) return true
    try {
      return await this.write(line)
    } catch {
      this.#isDeaf = true
      return true
    }
  }

  /** Redis can be asked, and may have lost all of these. */
  writeAgain(lines: Iterable<Line>): void {
    this.#isDeaf = false
    this.#updateLater(lines)
  }

  /** Writes it, and again if that fails. */
  update(line: Line): void {
    this.#due.add(line)
    if (!this.#here.isConnected) return this.#updateLater([line])
    this.write(line).then(
      () => this.#due.delete(line),
      () => this.#updateLater([line]),
    )
  }

  /**
   * Writes once more what Redis may not have, and does nothing any more.
   * @param isEmpty whether no record of this node is needed
   * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE
   */
  async close(isEmpty: boolean): Promise<void> {
    const { id, names, redis, clock } = this.#here
    this.#isClosed = true
    this.#again.stop()
    clock.clearInterval(this.#signs)
    await Promise.all(Array.from(this.#due, async (line) => this.write(line)))
    // Redis may have one that we could not know of: it has answered too late, or has lost a removal.
    if (isEmpty) await redis.command('DEL', names.durableOf(id))
  }

  /** In a trickle: others use this Redis too. */
  #updateLater(lines: Iterable<Line>): void {
    if (!this.#isClosed) this.#again.add(lines)
  }

  #batchOf(node: string): Batch<Line, unknown> {
    const found = this.#batches.get(node)
    if (found !== undefined) return found
    const { names, redis, clock } = this.#here
    const batch = new Batch<Line, unknown>(clock, async (lines) => {
      const keys = [names.sealOf(node), names.durableOf(node)] as const
      const words = lines.flatMap(({ id, text }) => [id, text])
      const outcome = await redis.run(RECORD, keys, KEPT, ...words)
      return lines.map(() => outcome)
    })
    this.#batches.set(node, batch)
    return batch
  }

  #giveSign(): void {
    const { id, names, redis } = this.#here
    // If Redis does not hear this one, the next are early enough.
    redis.command('PEXPIRE', names.durableOf(id), KEPT).catch(() => {})
  }
}
