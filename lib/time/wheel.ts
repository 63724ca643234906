/**
 * Something that is due at some time, or never (`Infinity`). Only the wheel writes these fields; a member
 * never changes wheels.
 */
export interface Due {
  dueAt: number
  /** Its index in the slot of its time, or {@link OFF}, or {@link ASIDE}. */
  place: number
}

/** The place of an object that is not on the wheel. */
export const OFF = -1
/** The place of a member that is in no slot: it is never due, or has been found due. */
const ASIDE = -2

/**
 * Number of slots. It is larger than the number of ticks in an interval of keepalive. A member that is due
 * later than that is passed over once in each round.
 */
const SLOTS = 128

/**
 * The members of a slot. A member that leaves makes a hole. To close the hole, another member's place would
 * have to change.
 */
type Slot<Member> = Array<Member | undefined>

/**
 * Holds members by the time at which they are due. Finding those that are due costs nothing for all the
 * others. Each is in the slot of its time, as on the face of a clock. A time is a whole number of ms.
 */
export class Wheel<Member extends Due> {
  /** All members that were due before this time have been found. */
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

  /** Changes the time of a member. For an object that is no member it only sets `dueAt`. */
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

  /**
   * Turns to `now`.
   * @returns the members that are due; they are not found again before they are moved
   */
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
    // A slot that all members have left becomes empty.
    while (slot.length > 0 && slot[slot.length - 1] === undefined) slot.pop()
  }

  #standsAt(member: Member, dueAt: number): boolean {
    return member.place >= 0 && this.#indexOf(member.dueAt) === this.#indexOf(dueAt)
  }

  /** A time in the past would be found only one round later. */
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
