import type { Here } from './here.js'
import { type Keeper, Kept } from './keeper.js'
import { HOLD } from './scripts/hold.js'
import { markOfGroup } from './sweep.js'

/** That this node has members of a group. */
class Holding extends Kept {
  readonly mark: string
  readonly #key: string
  readonly #here: Here

  constructor(key: string, here: Here) {
    super()
    this.mark = markOfGroup(key)
    this.#key = key
    this.#here = here
  }

  async write(node: string): Promise<unknown> {
    const { names, redis } = this.#here
    return redis.run(HOLD, [names.holdersOf(this.#key)], node)
  }

  async erase(node: string): Promise<unknown> {
    const { names, redis } = this.#here
    return redis.command('SREM', names.holdersOf(this.#key), node)
  }
}

/** Which groups this node has members of, for the other nodes. */
export class Presence {
  readonly #here: Here
  readonly #keeper: Keeper

  constructor(here: Here, keeper: Keeper) {
    this.#here = here
    this.#keeper = keeper
  }

  groupFormed(name: string): void {
    this.#keeper.put(this.#keeper.find(markOfGroup(name)) ?? new Holding(name, this.#here))
  }

  groupEmptied(name: string): void {
    const holding = this.#keeper.find(markOfGroup(name))
    if (holding !== undefined) this.#keeper.drop(holding)
  }

  /**
   * Another node believes that this one has members of a group, and it has none. If that is not about to be erased, a
   * call that a client has held for long has come last.
   */
  isWithout(name: string): void {
    if (this.#keeper.find(markOfGroup(name)) !== undefined) return
    const holding = new Holding(name, this.#here)
    holding.isMarked = true
    holding.isWritten = true
    this.#keeper.drop(holding)
  }
}
