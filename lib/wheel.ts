/** What is due at some time, or, at `Infinity`, never. */
export interface Due {
  /** Set by the wheel alone, once it is on it. */
  dueAt: number
}

/** Whoever is due later than after one turn is passed by once a turn. */
const SLOTS = 64

/**
 * Members by the time at which they are due: to find those that are costs nothing for all the others.
 * Each stands in the slot of its time, as on the face of a clock.
 */
export class Wheel<Member extends Due> {
  /** All that was due before has been found. */
  #turnedTo: number
  readonly #width: number
  readonly #slots: ReadonlyArray<Set<Member>> = Array.from({ length: SLOTS }, () => new Set())
  readonly #never = new Set<Member>()
  #size = 0

  /** @param width of a slot, in ms */
  constructor(width: number, now: number) {
    this.#width = width
    this.#turnedTo = now
  }

  get size(): number {
    return this.#size
  }

  add(member: Member): void {
    member.dueAt = this.#notBefore(member.dueAt)
    this.#slotOf(member.dueAt).add(member)
    this.#size++
  }

  /** @returns whether it was a member */
  delete(member: Member): boolean {
    const isDeleted = this.#slotOf(member.dueAt).delete(member)
    if (isDeleted) this.#size--
    return isDeleted
  }

  /** Changes the time of a member; nothing but that of others. */
  move(member: Member, at: number): void {
    const dueAt = this.#notBefore(at)
    const from = this.#slotOf(member.dueAt)
    const to = this.#slotOf(dueAt)
    member.dueAt = dueAt
    if (from !== to && from.delete(member)) to.add(member)
  }

  isDue(member: Member, now: number): boolean {
    return member.dueAt <= now && this.#slotOf(member.dueAt).has(member)
  }

  /** Turns to `now`. @returns who is due; each has to be moved or deleted before the next turn */
  turn(now: number): Member[] {
    const last = this.#indexOf(now)
    const first = Math.max(this.#indexOf(this.#turnedTo), last - SLOTS + 1)
    this.#turnedTo = now
    const due: Member[] = []
    for (let index = first; index <= last; index++) {
      for (const member of this.#slotAt(index)) if (member.dueAt <= now) due.push(member)
    }
    return due
  }

  /** A time that has passed would be found a turn later. */
  #notBefore(at: number): number {
    return Math.max(at, this.#turnedTo)
  }

  #indexOf(at: number): number {
    return Math.floor(at / this.#width)
  }

  #slotOf(dueAt: number): Set<Member> {
    return dueAt === Infinity ? this.#never : this.#slotAt(this.#indexOf(dueAt))
  }

  #slotAt(index: number): Set<Member> {
    return this.#slots[index % SLOTS] as Set<Member>
  }
}
