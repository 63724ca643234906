/** Whose place it is: that of an upgrade, and then of its connection. */
export interface Occupant {
  /** Whether nothing has ended it, nor answered it. */
  readonly isStaying: boolean
  /** A newer one needs its place: it ends. If it does so already, it has no longer for it than from now on. */
  giveWay(): void
}

/** Who wants a place. */
export interface Claimant extends Occupant {
  /** Its number in the order of upgrade requests. */
  readonly order: number
  /** The place is its own from now on. */
  seated(): void
}

/** A place of a key, or a claim to one. */
export class Seat {
  readonly order: number
  readonly #owner: Succession
  readonly #key: string
  #occupant: Occupant
  /** As long as it waits; nothing of an upgrade is kept for its connection. */
  #waiting: Claimant | undefined

  constructor(owner: Succession, key: string, claimant: Claimant) {
    this.order = claimant.order
    this.#owner = owner
    this.#key = key
    this.#occupant = claimant
    this.#waiting = claimant
  }

  /** Whether it counts: somebody has it. */
  get isTaken(): boolean {
    return this.#waiting === undefined
  }

  get isStaying(): boolean {
    return this.#occupant.isStaying
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
 * So many at once for each key, where the newest stay: those whose upgrade requests came last. An older one is
 * told to give way, and its place is the newer one's when it is given back, and no sooner.
 */
export class Succession {
  readonly #max: number
  /** Those who hold a place or wait for one, in the order of their upgrade requests. */
  readonly #rows = new Map<string, Seat[]>()

  /** @param max at least 1 */
  constructor(max: number) {
    this.#max = max
  }

  /** @returns the seat, taken or waited for; `undefined` where all who stay are newer */
  claim(key: string, claimant: Claimant): Seat | undefined {
    const row = this.#rows.get(key) ?? []
    const staying = row.filter((seat) => seat.isStaying)
    // Never more stay than there are places, so that one has to go for each that comes.
    const oldest = staying.length < this.#max ? undefined : staying[0]
    if (oldest !== undefined && claimant.order < oldest.order) return undefined
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

function without(seat: Seat, row: readonly Seat[] = []): Seat[] {
  return row.filter((other) => other !== seat)
}

/** Whether it holds a place, but ends. */
function isLeaving(seat: Seat): boolean {
  return seat.isTaken && !seat.isStaying
}

/** Hooks take their time: whoever came first does not always get here first. */
function insert(row: Seat[], seat: Seat): void {
  const behind = row.findIndex(({ order }) => order > seat.order)
  row.splice(behind < 0 ? row.length : behind, 0, seat)
}
