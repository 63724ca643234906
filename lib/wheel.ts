/** What is due at some time, or, at `Infinity`, never. All of it is set by the wheel alone, once it is on it. */
export interface Due {
  dueAt: number
  /** Where it stands, and at which place there. */
  slot: Slot | undefined
  place: number
}

export type Slot = Due[]

/** More than there are ticks in an interval of keepalive: whoever is due later than that is passed by once a turn. */
const SLOTS = 128

/**
 * Members by the time at which they are due: to find those that are costs nothing for all the others.
 * Each stands in the slot of its time, as on the face of a clock.
 */
export class Wheel<Member extends Due> {
  /** All that was due before has been found. */
  #turnedTo = 0
  readonly #width: number
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => [])
  readonly #never: Slot = []
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
    enter(this.#slotOf(member.dueAt), member)
    this.#size++
  }

  /** @returns whether it was a member */
  delete(member: Member): boolean {
    if (member.slot === undefined) return false
    leave(member.slot, member)
    member.slot = undefined
    this.#size--
    return true
  }

  /** Changes the time of a member; nothing but that of others. */
  move(member: Member, at: number): void {
    member.dueAt = this.#notBefore(at)
    const { slot } = member
    const to = this.#slotOf(member.dueAt)
    if (slot === undefined || slot === to) return
    leave(slot, member)
    enter(to, member)
  }

  isDue(member: Member, now: number): boolean {
    return member.slot !== undefined && member.dueAt <= now
  }

  /** Turns to `now`. @returns who is due; who is not moved or deleted after that may not be found again */
  turn(now: number): Member[] {
    const last = this.#indexOf(now)
    const first = Math.max(this.#indexOf(this.#turnedTo), last - SLOTS + 1)
    this.#turnedTo = now
    const due: Member[] = []
    for (let index = first; index <= last; index++) {
      for (const member of this.#slotAt(index)) if (member.dueAt <= now) due.push(member as Member)
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

  #slotOf(dueAt: number): Slot {
    return dueAt === Infinity ? this.#never : this.#slotAt(this.#indexOf(dueAt))
  }

  #slotAt(index: number): Slot {
    return this.#slots[index % SLOTS] as Slot
  }
}

function enter(slot: Slot, member: Due): void {
  member.slot = slot
  member.place = slot.push(member) - 1
}

/** Its place is taken by the last one. */
function leave(slot: Slot, member: Due): void {
  const last = slot.pop()
  if (last === undefined || last === member) return
  slot[member.place] = last
  last.place = member.place
}
