import type { GroupMember } from '../api/group.js'
import type { SharedMessage } from '../outbox/shared-message.js'

/** Where a member's messages go. */
export interface MemberOutbox {
  /** Whether there is room for a message behind so many that are owed, of so many bytes. */
  hasRoomFor(message: SharedMessage, owed: number, owedBytes: number): boolean
  /** There was no room: does what `outbox.overflow` says. */
  refuse(): void
  /** The message follows. What takes long can begin now. */
  foresee(message: SharedMessage): void
  /** Whether that goes on. */
  isPreparing(message: SharedMessage): boolean
  /** Sends a message for which there was room. */
  take(message: SharedMessage): void
  /** What is taken until {@link MemberOutbox.uncork} leaves together. */
  cork(): void
  uncork(): void
  /** Less is owed: there may be room for those who wait for it. */
  tellRoom(): void
}

/** A connection or a session, as its groups know it. */
export interface Member {
  /** What the app has of it. */
  readonly face: GroupMember
  /** Whether it has not begun to end. */
  readonly mayJoin: boolean
  /** Made when it first joins a group. */
  membership: Membership | undefined
  readonly outboxForGroups: MemberOutbox
  close(code: number | undefined, reason: string | Buffer | undefined): void
  fail(error: unknown, step: string): void
}

/** Something that is owed to many members of a group: a message, or their end. */
export interface Owed {
  /** They are numbered in the order in which they began. */
  readonly number: number
  /** The step of a connection's life in which it fails. */
  readonly step: string
  /** What is sent; `undefined` if nothing is. */
  readonly message: SharedMessage | undefined
  isFor(membership: Membership): boolean
  actOn(member: Member): void
  /** One who was owed it is not any more. */
  paid(): void
  /** Its message is being prepared: all who are left have a turn once more when that is over. */
  whenReady(ready: () => void): void
}

/** A group, as its members know it. */
interface GroupOf {
  readonly name: string
  /** The next thing that it owes this member. */
  nextFor(membership: Membership): Owed | undefined
  forget(membership: Membership): void
}

/** Who hands over what is owed. */
interface Server {
  serve(membership: Membership): void
}

/** The names of the groups that one is in. */
export function namesOf(membership: Membership | undefined): readonly string[] {
  return Array.from(membership?.groups ?? [], ({ name }) => name)
}

/** The groups of one member, and what these owe it: messages that were sent to all, and have not reached it yet. */
export class Membership {
  readonly member: Member
  readonly groups: Set<GroupOf> = new Set()
  readonly #server: Server
  /** Number of fan-outs that have not reached it. */
  owed = 0
  owedBytes = 0
  /** The number of the last fan-out that has. */
  served = 0
  /** Whether one that is owed closes it. */
  isLeaving = false

  constructor(member: Member, server: Server) {
    this.member = member
    this.#server = server
  }

  /** The next thing that it is owed, by whichever group. */
  get next(): Owed | undefined {
    let first: Owed | undefined
    for (const group of this.groups) {
      const next = group.nextFor(this)
      if (next !== undefined && (first === undefined || next.number < first.number)) first = next
    }
    return first
  }

  /** Something is owed to it from now on. */
  owe({ message }: Owed): void {
    this.owed++
    this.owedBytes += message?.bytes ?? 0
  }

  /** It is owed this no longer. */
  settle(owed: Owed): void {
    this.served = owed.number
    this.owed--
    this.owedBytes -= owed.message?.bytes ?? 0
    owed.paid()
  }

  /** Hands over what is owed, so that what is sent now comes behind it. */
  catchUp(): void {
    if (this.owed > 0) this.#server.serve(this)
  }

  /** The member has left OPEN. */
  end(): void {
    for (let owed = this.next; owed !== undefined; owed = this.next) this.settle(owed)
    for (const group of this.groups) group.forget(this)
    this.groups.clear()
    this.member.membership = undefined
  }
}
