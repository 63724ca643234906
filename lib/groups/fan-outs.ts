import type { GroupSendResult } from '../api/group.js'
import { LONGEST_SLICE } from '../core/budgets.js'
import type { SharedMessage } from '../outbox/shared-message.js'
import { startForAll } from '../platform/context.js'
import { setImmediate } from '../platform/real-time.js'
import type { Clock } from '../time/clock.js'
import { Closing, type Crowd, type FanOut, Sending } from './fan-out.js'
import type { Membership, Owed } from './membership.js'

/** After so many members it looks how late it is. */
const LOOK_EVERY = 8

/**
 * Serves the members of groups: what is sent to all reaches each of them in the order in which it was sent, also
 * among what is sent to it alone.
 *
 * At the call it is decided who gets it, and each of them is owed it from then on. They are served at once, for as
 * long as a slice may take, and in later turns of the loop. Who is sent something else meanwhile is first served
 * with all that it is owed, out of turn. Who has to wait until a message is compressed waits alone.
 */
export class FanOuts {
  readonly #clock: Clock
  /** Those whose members have not all had their turn. */
  readonly #turns = new Set<FanOut>()
  #newest = 0
  #isServing = false
  /** Whether a slice will follow by itself. */
  #isPutOff = false
  /** Number of members that have had their turn in this slice. */
  #count = 0
  readonly #putOff = (): void => void setImmediate(this.#goOn)
  readonly #goOn = (): void => {
    this.#isPutOff = false
    this.#serveSlice(this.#clock.now())
  }

  readonly #ready = (): void => this.#serveLater()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The number of the newest one. */
  get newest(): number {
    return this.#newest
  }

  send(crowd: Crowd, message: SharedMessage, except: Membership | undefined): GroupSendResult {
    const startedAt = this.#clock.now()
    const sending = new Sending(++this.#newest, crowd, this.#turns, message)
    const refused: Membership[] = []
    for (const membership of crowd.members.keys()) {
      const { member, owed, owedBytes, isLeaving } = membership
      if (membership === except || isLeaving || !member.mayJoin) {
        sending.exclude(membership)
      } else if (member.outboxForGroups.hasRoomFor(message, owed, owedBytes)) {
        member.outboxForGroups.foresee(message)
        sending.oweTo(membership)
      } else {
        sending.exclude(membership)
        refused.push(membership)
      }
    }
    const sent = sending.left
    this.#begin(sending, startedAt)
    // Only now: it may call the app.
    for (const { member } of refused) member.outboxForGroups.refuse()
    return { sent, dropped: refused.length }
  }

  close(crowd: Crowd, code: number | undefined, reason: string | Buffer | undefined): void {
    const startedAt = this.#clock.now()
    const closing = new Closing(++this.#newest, crowd, this.#turns, code, reason)
    for (const membership of crowd.members.keys()) {
      membership.isLeaving = true
      closing.oweTo(membership)
    }
    this.#begin(closing, startedAt)
  }

  /** Hands one member all that it is owed, out of turn: also what would have to wait. */
  serve(membership: Membership): void {
    this.#serve(membership, true)
  }

  /** @param startedAt when its turn of the loop began to look for whom it is */
  #begin(fanOut: FanOut, startedAt: number): void {
    if (fanOut.left === 0) return
    fanOut.begin()
    if (this.#isServing) this.#serveLater()
    else if (!this.#isPutOff) this.#serveSlice(startedAt)
  }

  #serveSlice(startedAt: number): void {
    const until = startedAt + LONGEST_SLICE
    for (const fanOut of this.#turns) {
      if (!this.#serveAll(fanOut, until)) {
        this.#serveLater()
        return
      }
      this.#turns.delete(fanOut)
    }
  }

  /** @returns whether all of its members have had their turn */
  #serveAll(fanOut: FanOut, until: number): boolean {
    for (const membership of fanOut.rest) {
      if (membership.owed > 0) this.#serve(membership, false)
      if (fanOut.left === 0) return true
      if (++this.#count % LOOK_EVERY === 0 && this.#clock.now() >= until) return false
    }
    return true
  }

  /** @param isUrgent whether also what is not ready is handed over, as well as it goes */
  #serve(membership: Membership, isUrgent: boolean): void {
    const wasServing = this.#isServing
    const isMany = membership.owed > 1
    const { member } = membership
    const { outboxForGroups: outbox } = member
    this.#isServing = true
    try {
      if (isMany) outbox.cork()
      for (let next = membership.next; next !== undefined; next = membership.next) {
        if (!isUrgent && next.message !== undefined && outbox.isPreparing(next.message)) {
          next.whenReady(this.#ready)
          break
        }
        hand(next, membership)
      }
    } finally {
      this.#isServing = wasServing
    }
    if (isMany) uncork(membership)
    outbox.tellRoom()
  }

  #serveLater(): void {
    if (this.#isPutOff) return
    this.#isPutOff = true
    startForAll(this.#putOff)
  }
}

function hand(owed: Owed, membership: Membership): void {
  const { member } = membership
  membership.settle(owed)
  try {
    owed.actOn(member)
  } catch (error) {
    member.fail(error, owed.step)
  }
}

/** What was held back leaves now, and may fail as any write. */
function uncork({ member }: Membership): void {
  try {
    member.outboxForGroups.uncork()
  } catch (error) {
    member.fail(error, 'send')
  }
}
