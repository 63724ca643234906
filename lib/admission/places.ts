import { type Capacity, Slots } from '../core/admission/capacity.js'
import type { Claimant, Occupant, Succession } from '../core/admission/succession.js'
import { Deferred } from '../platform/deferred.js'

/** The places that an upgrade has taken, and the one that it waits for. */
export class Places {
  #slots: Slots | undefined
  #seated: Deferred<void> | undefined

  /** What its connection takes over. */
  get slots(): Slots | undefined {
    return this.#slots
  }

  /** Resolves when there is a place, or nothing to wait for any more; `undefined` where it does not wait. */
  get untilSeated(): Promise<void> | undefined {
    return this.#seated?.promise
  }

  /** @returns whether there was room */
  take(capacity: Capacity, key: string): boolean {
    return (this.#slots ??= new Slots()).take(capacity, key)
  }

  /** Takes a place of a key, or begins to wait for one. @returns whether there is one to have: newer ones may have all */
  claim(succession: Succession, key: string, claimant: Claimant): boolean {
    const seat = (this.#slots ??= new Slots()).claim(succession, key, claimant)
    if (seat?.isTaken === false) this.#seated ??= new Deferred()
    return seat !== undefined
  }

  seated(): void {
    this.#seated?.resolve()
  }

  /** The upgrade became a connection. */
  handTo(occupant: Occupant): void {
    this.#slots?.handTo(occupant)
  }

  /** Also the one that it still waits for. */
  giveBack(): void {
    this.#slots?.giveBack()
    this.seated()
  }
}
