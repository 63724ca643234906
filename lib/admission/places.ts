import { type Capacity, Slots } from '../core/admission/capacity.js'
import type { Claimant, Occupant, Succession } from '../core/admission/succession.js'
import { Deferred } from '../platform/deferred.js'

/** The places that an upgrade has taken, and the one that it waits for. */
export class Places {
  #slots: Slots | undefined
  #seated: Deferred<void> | undefined

  /** The places, for its connection to take over. */
  get slots(): Slots | undefined {
    return this.#slots
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
    const seat = (this.#slots ??= new Slots()).claim(succession, key, claimant)
    if (seat?.isTaken === false) this.#seated ??= new Deferred()
    return seat !== undefined
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
    this.#slots?.giveBack()
    this.seated()
  }
}
