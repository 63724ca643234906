/** What is due at some time, or, at `Infinity`, never. All of it is set by the wheel alone, once it is on it; that is one wheel for good. */
export interface Due {
  dueAt: number
  /** Where it stands in the slot of its time, or {@link OFF}, or {@link ASIDE}. */
  place: number
}

/** The place of who is not on the wheel. */
export const OFF = -1
/** The place of who is on it and stands in no slot: it is never due, or has been found. */
const ASIDE = -2

/** More than there are ticks in an interval of keepalive: whoever is due later than that is passed by once a turn. */
const SLOTS = 128

/** Who leaves makes a hole: to close it, another one would have to hear of its new place. */
type Slot<Member> = Array<Member | undefined>

/**
 * Members by the time at which they are due: to find those that are costs nothing for all the others.
 * Each stands in the slot of its time, as on the face of a clock. A time is a whole number of ms.
 */
export class Wheel<Member extends Due> {
  /** All that was due before has been found. */
  #turnedTo = 0
  readonly #width: number
  readonly #slots: ReadonlyArray<Slot<Member>> = Array.from({ length: SLOTS }, () => [])
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
    this.#enter(member)
    this.#size++
  }

  /** @returns whether it was a member */
  delete(member: Member): boolean {
    if (member.place === OFF) return false
    this.#leave(member)
    member.place = OFF
    this.#size--
    return true
  }

  /** Changes the time of a member; nothing but that of others. */
  move(member: Member, at: number): void {
    const dueAt = this.#notBefore(at)
    if (member.place !== OFF && !this.#standsAt(member, dueAt)) {
      this.#leave(member)
      member.dueAt = dueAt
      this.#enter(member)
    } else {
      member.dueAt = dueAt
    }
  }

  isDue(member: Member, now: number): boolean {
    return member.place !== OFF && member.dueAt <= now
  }

  /** Turns to `now`. @returns who is due; it is not found again before it has been moved */
  turn(now: number): Member[] {
    const last = this.#indexOf(now)
    const first = Math.max(this.#indexOf(this.#turnedTo), last - SLOTS + 1)
    this.#turnedTo = now
    const due: Member[] = []
    for (let index = first; index <= last; index++) {
      const slot = this.#slotAt(index)
      if (slot.length === 0) continue
      for (const member of slot.splice(0)) {
        if (member === undefined) continue
        if (member.dueAt <= now) {
          member.place = ASIDE
          due.push(member)
        } else {
          this.#enter(member)
        }
      }
    }
    return due
  }

  #enter(member: Member): void {
    member.place =
      member.dueAt === Infinity ? ASIDE : this.#slotAt(this.#indexOf(member.dueAt)).push(member) - 1
  }

  #leave(member: Member): void {
    if (member.place < 0) return
    const slot = this.#slotAt(this.#indexOf(member.dueAt))
    slot[member.place] = undefined
    // Of a slot that all have left nothing is left.
    while (slot.length > 0 && slot[slot.length - 1] === undefined) slot.pop()
  }

  #standsAt(member: Member, dueAt: number): boolean {
    return member.place >= 0 && this.#indexOf(member.dueAt) === this.#indexOf(dueAt)
  }

  /** A time that has passed would be found a turn later. */
  #notBefore(at: number): number {
    return Math.ceil(Math.max(at, this.#turnedTo))
  }

  #indexOf(at: number): number {
    return Math.floor(at / this.#width)
  }

  #slotAt(index: number): Slot<Member> {
    return this.#slots[index % SLOTS] as Slot<Member>
  }
}
