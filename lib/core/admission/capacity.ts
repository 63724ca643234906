import type { Claimant, Occupant, Seat, Succession } from './succession.js'

/** How many connections may be there at once, in total or for each key. */
export class Capacity {
  /** The name of the server or route that it belongs to, for error messages. */
  readonly of: string
  readonly #max: number
  readonly #taken = new Map<string, number>()

  constructor(of: string, max: number) {
    this.of = of
    this.#max = max
  }

  /** @returns whether there was room */
  take(key: string): boolean {
    const taken = this.#taken.get(key) ?? 0
    if (taken >= this.#max) return false
    this.#taken.set(key, taken + 1)
    return true
  }

  giveBack(key: string): void {
    const left = (this.#taken.get(key) ?? 0) - 1
    if (left > 0) this.#taken.set(key, left)
    else this.#taken.delete(key)
  }
}

/** The places that one upgrade, and then its connection, has taken. Each is given back once. */
export class Slots {
  #held: Array<{ readonly capacity: Capacity; readonly key: string }> = []
  #seat: Seat | undefined

  /** @returns whether there was room, or this upgrade has such a place already: a hook may call back twice */
  take(capacity: Capacity, key: string): boolean {
    if (this.#held.some((held) => held.capacity === capacity)) return true
    if (!capacity.take(key)) return false
    this.#held.push({ capacity, key })
    return true
  }

  /**
   * @returns the seat of this upgrade, taken or waited for; on a second call the same. `undefined` if newer
   * upgrades have all seats.
   */
  claim(succession: Succession, key: string, claimant: Claimant): Seat | undefined {
    return (this.#seat ??= succession.claim(key, claimant))
  }

  /** The upgrade became a connection: from now on that one has the places. */
  handTo(occupant: Occupant): void {
    this.#seat?.handTo(occupant)
  }

  giveBack(): void {
    const held = this.#held
    this.#held = []
    for (const { capacity, key } of held) capacity.giveBack(key)
    const seat = this.#seat
    this.#seat = undefined
    seat?.giveBack()
  }
}
