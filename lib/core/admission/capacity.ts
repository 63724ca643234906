import type { Claimant, Occupant, Seat, Succession } from './succession.js'

/** The owner of places who can be sent away for somebody who comes, at once. */
export interface Displaceable {
  /** It has to give back its places. */
  displace(): void
}

/** How many connections may be there at once, in total or for each key. */
export class Capacity {
  /** The name of the server or route that it belongs to, for error messages. */
  readonly of: string
  readonly #max: number
  readonly #taken = new Map<string, number>()
  /** Those who can be displaced, by key, in order. Made for the first. */
  #soft: Map<string, Set<Displaceable>> | undefined

  constructor(of: string, max: number) {
    this.of = of
    this.#max = max
  }

  /** @returns whether there was room */
  take(key: string): boolean {
    if (this.#isFull(key)) this.#displaceOne(key)
    if (this.#isFull(key)) return false
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1)
    return true
  }

  /** From now on an owner of a place may be displaced. */
  soften(key: string, owner: Displaceable): void {
    const soft = (this.#soft ??= new Map<string, Set<Displaceable>>())
    const ofKey = soft.get(key)
    if (ofKey === undefined) soft.set(key, new Set([owner]))
    else ofKey.add(owner)
  }

  harden(key: string, owner: Displaceable): void {
    const ofKey = this.#soft?.get(key)
    ofKey?.delete(owner)
    if (ofKey?.size === 0) this.#soft?.delete(key)
  }

  giveBack(key: string): void {
    const left = (this.#taken.get(key) ?? 0) - 1
    if (left > 0) this.#taken.set(key, left)
    else this.#taken.delete(key)
  }

  #isFull(key: string): boolean {
    return (this.#taken.get(key) ?? 0) >= this.#max
  }

  #displaceOne(key: string): void {
    for (const longest of this.#soft?.get(key) ?? []) {
      longest.displace()
      return
    }
  }
}

/** A place that is counted elsewhere too. */
export interface PlaceElsewhere {
  handTo(owner: Occupant): void
  giveBack(): void
}

/** The places that one upgrade, and then its connection, has taken. Each is given back once. */
export class Slots {
  #held: Array<{ readonly capacity: Capacity; readonly key: string }> = []
  #seat: Seat | undefined
  #elsewhere: PlaceElsewhere | undefined
  #softOwner: Displaceable | undefined

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

  add(place: PlaceElsewhere): void {
    this.#elsewhere = place
  }

  /** The upgrade became a connection: from now on that one has the places. */
  handTo(occupant: Occupant): void {
    this.#seat?.handTo(occupant)
    this.#elsewhere?.handTo(occupant)
  }

  /** From now on others may displace the owner. */
  soften(owner: Displaceable): void {
    this.#softOwner = owner
    for (const { capacity, key } of this.#held) capacity.soften(key, owner)
  }

  harden(): void {
    const owner = this.#softOwner
    this.#softOwner = undefined
    if (owner === undefined) return
    for (const { capacity, key } of this.#held) capacity.harden(key, owner)
  }

  giveBack(): void {
    this.harden()
    const held = this.#held
    this.#held = []
    for (const { capacity, key } of held) capacity.giveBack(key)
    const seat = this.#seat
    this.#seat = undefined
    seat?.giveBack()
    const elsewhere = this.#elsewhere
    this.#elsewhere = undefined
    elsewhere?.giveBack()
  }
}
