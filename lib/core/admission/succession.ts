/** The owner of a place: an upgrade, and then its connection. */
export interface Occupant {
  /** Whether it is not ending, and not being answered. */
  readonly isStaying: boolean
  /** Since when it is suspended; `Infinity` if it is not. Only a session can be. */
  readonly suspendedSince?: number
  /**
   * A newer upgrade needs this place, so the owner has to end. If it is ending already, it has at most its
   * timeout from now on.
   */
  giveWay(): void
}

/** An upgrade that wants a place. */
export interface Claimant extends Occupant {
  /** Its number in the order of upgrade requests. */
  readonly order: number
  /** It has a place from now on. */
  seated(): void
}

/** A place for a connection of some key, or the claim of an upgrade that waits for one. */
export class Seat {
  readonly order: number
  readonly #owner: Succession
  readonly #key: string
  #occupant: Occupant
  /** The upgrade, as long as it waits. After that no reference to it is kept. */
  #waiting: Claimant | undefined

  constructor(owner: Succession, key: string, claimant: Claimant) {
    this.order = claimant.order
    this.#owner = owner
    this.#key = key
    this.#occupant = claimant
    this.#waiting = claimant
  }

  /** Whether somebody has this place. Only then it counts. */
  get isTaken(): boolean {
    return this.#waiting === undefined
  }

  get isStaying(): boolean {
    return this.#occupant.isStaying
  }

  get suspendedSince(): number {
    return this.#occupant.suspendedSince ?? Infinity
  }

  take(): void {
    const claimant = this.#waiting
    this.#waiting = undefined
    claimant?.seated()
  }

  giveWay(): void {
    this.#occupant.giveWay()
  }

  /** The upgrade became a connection. */
  handTo(occupant: Occupant): void {
    this.#occupant = occupant
  }

  giveBack(): void {
    this.#owner.giveBack(this.#key, this)
  }
}

/**
 * How many connections each key may have at once, where the newest stay: those with the latest upgrade
 * requests. An older one is told to give way. Its place goes to a newer one only when it is given back.
 */
export class Succession {
  readonly #max: number
  /** For each key the seats that are taken or waited for, in the order of their upgrade requests. */
  readonly #rows = new Map<string, Seat[]>()

  /** @param max at least 1 */
  constructor(max: number) {
    this.#max = max
  }

  /** @returns the seat, taken or waited for; `undefined` if all that stay are newer */
  claim(key: string, claimant: Claimant): Seat | undefined {
    const row = this.#rows.get(key) ?? []
    const staying = row.filter((seat) => seat.isStaying)
    // There are never more staying than places. So exactly one has to leave for each that comes.
    const oldest = staying.length < this.#max ? undefined : firstToLeave(staying)
    const isAway = oldest !== undefined && oldest.suspendedSince !== Infinity
    if (oldest !== undefined && !isAway && claimant.order < oldest.order) return undefined
    const isFull = row.filter((seat) => seat.isTaken).length >= this.#max
    const inTheWay = isFull ? row.filter((seat) => seat === oldest || isLeaving(seat)) : []
    const seat = new Seat(this, key, claimant)
    insert(row, seat)
    this.#rows.set(key, row)
    if (!isFull) seat.take()
    for (const other of inTheWay) other.giveWay()
    return seat
  }

  giveBack(key: string, seat: Seat): void {
    const row = without(seat, this.#rows.get(key))
    if (row.length === 0) this.#rows.delete(key)
    else this.#rows.set(key, row)
    const free = this.#max - row.filter((other) => other.isTaken).length
    const waiting = row.filter((other) => !other.isTaken && other.isStaying)
    for (const next of waiting.slice(0, free)) next.take()
  }
}

/** The longest suspended one, else the oldest. */
function firstToLeave(staying: readonly Seat[]): Seat | undefined {
  return staying.reduce((first, next) =>
    next.suspendedSince < first.suspendedSince ? next : first,
  )
}

function without(seat: Seat, row: readonly Seat[] = []): Seat[] {
  return row.filter((other) => other !== seat)
}

/** Whether its owner is ending, but still has the place. */
function isLeaving(seat: Seat): boolean {
  return seat.isTaken && !seat.isStaying
}

/**
 * Keeps the order of upgrade requests. Hooks take different times, so an earlier request may get here later.
 */
function insert(row: Seat[], seat: Seat): void {
  const behind = row.findIndex(({ order }) => order > seat.order)
  row.splice(behind < 0 ? row.length : behind, 0, seat)
}
