import type { DurableHold } from '../cluster/cluster.js'
import { type Capacity, type PlaceElsewhere, Slots } from '../core/admission/capacity.js'
import type { Claimant, Occupant, Succession } from '../core/admission/succession.js'
import { Deferred } from '../platform/deferred.js'

/**
 * The places that an upgrade has taken, and the one that it waits for; and what the other nodes know of it. All of this
 * is given back if it does not become a connection.
 */
export class Places {
  /** The key whose place was claimed. */
  key: string | undefined
  #slots: Slots | undefined
  #hold: DurableHold | undefined
  #isOver = false
  #seated: Deferred<void> | undefined

  /** The places, for its connection to take over. */
  get slots(): Slots | undefined {
    return this.#slots
  }

  /** The record of its cleanup, for its connection to take over. */
  get hold(): DurableHold | undefined {
    return this.#hold
  }

  /** Resolves when there is a place, or when it no longer waits; `undefined` if it does not wait. */
  get untilSeated(): Promise<void> | undefined {
    return this.#seated?.promise
  }

  /** @returns whether there was room */
  take(capacity: Capacity, key: string): boolean {
    return (this.#slots ??= new Slots()).take(capacity, key)
  }

  /**
   * Takes a place of a key, or begins to wait for one.
   * @returns `false` if newer upgrades have all places
   */
  claim(succession: Succession, key: string, claimant: Claimant): boolean {
    this.key = key
    const seat = (this.#slots ??= new Slots()).claim(succession, key, claimant)
    if (seat?.isTaken === false) this.#seated ??= new Deferred()
    return seat !== undefined
  }

  /** Takes a place that is counted over all nodes. */
  add(place: PlaceElsewhere): void {
    if (this.#isOver) place.giveBack()
    else (this.#slots ??= new Slots()).add(place)
  }

  /** Its cleanup was recorded. */
  keep(hold: DurableHold): void {
    if (this.#isOver) hold.cancel()
    else this.#hold = hold
  }

  seated(): void {
    this.#seated?.resolve()
  }

  /** The upgrade became a connection: the places are now that one's. */
  handTo(occupant: Occupant): void {
    this.#slots?.handTo(occupant)
  }

  /** Gives back all places, also the one that it waits for. */
  giveBack(): void {
    this.#isOver = true
    this.#slots?.giveBack()
    const hold = this.#hold
    this.#hold = undefined
    hold?.cancel()
    this.seated()
  }
}
