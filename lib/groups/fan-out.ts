import type { SharedMessage } from '../outbox/shared-message.js'
import type { Member, Membership, Owed } from './membership.js'

/** The members of a group, and what it owes them. */
export interface Crowd {
  /** Each with the number of the newest fan-out when it came. */
  readonly members: ReadonlyMap<Membership, number>
  readonly waiting: Waiting
}

/** The fan-outs of one group that are owed to somebody, in their order. */
export class Waiting {
  readonly #fanOuts: FanOut[] = []

  add(fanOut: FanOut): void {
    this.#fanOuts.push(fanOut)
  }

  delete(fanOut: FanOut): void {
    this.#fanOuts.splice(this.#firstAfter(fanOut.number - 1), 1)
  }

  /** The next one that this member is owed. */
  nextFor(membership: Membership): FanOut | undefined {
    const fanOuts = this.#fanOuts
    if (fanOuts.length === 0) return undefined
    for (let at = this.#firstAfter(membership.served); at < fanOuts.length; at++) {
      const fanOut = fanOuts[at]
      if (fanOut?.isFor(membership)) return fanOut
    }
    return undefined
  }

  /** Where the first one is whose number is greater. */
  #firstAfter(number: number): number {
    const fanOuts = this.#fanOuts
    let from = 0
    let to = fanOuts.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((fanOuts[middle] as FanOut).number > number) to = middle
      else from = middle + 1
    }
    return from
  }
}

/** Something that is done for each who was a member when it began. */
export abstract class FanOut implements Owed {
  readonly number: number
  readonly #crowd: Crowd
  /** Those who are left out. */
  #excluded: WeakSet<Membership> | undefined
  /** Who is still to be served, in the order in which they came. */
  #rest: Iterable<Membership>
  /** Number of members that it is owed to. */
  #left = 0
  /** Those whose members have not all had their turn. */
  readonly #turns: Set<FanOut>
  /** Whether some members wait for its message. */
  #isAwaited = false

  constructor(number: number, crowd: Crowd, turns: Set<FanOut>) {
    this.number = number
    this.#crowd = crowd
    this.#turns = turns
    this.#rest = crowd.members.keys()
  }

  abstract readonly step: string
  abstract readonly message: SharedMessage | undefined
  abstract actOn(member: Member): void

  /** Who is still to be served. Who has had its turn does not come again. */
  get rest(): Iterable<Membership> {
    return this.#rest
  }

  get left(): number {
    return this.#left
  }

  exclude(membership: Membership): void {
    this.#excluded ??= new WeakSet()
    this.#excluded.add(membership)
  }

  isFor(membership: Membership): boolean {
    const since = this.#crowd.members.get(membership)
    return since !== undefined && since < this.number && this.#excluded?.has(membership) !== true
  }

  oweTo(membership: Membership): void {
    membership.owe(this)
    this.#left++
  }

  /** From now on all who are left have a turn. */
  begin(): void {
    this.#crowd.waiting.add(this)
    this.#turns.add(this)
  }

  paid(): void {
    if (--this.#left > 0) return
    this.#crowd.waiting.delete(this)
    this.#turns.delete(this)
  }

  whenReady(served: () => void): void {
    if (this.#isAwaited) return
    this.#isAwaited = true
    this.message?.whenReady(() => {
      this.#isAwaited = false
      this.#rest = this.#crowd.members.keys()
      this.#turns.add(this)
      served()
    })
  }
}

/** A message to all. */
export class Sending extends FanOut {
  readonly step = 'send'
  readonly message: SharedMessage

  constructor(number: number, crowd: Crowd, turns: Set<FanOut>, message: SharedMessage) {
    super(number, crowd, turns)
    this.message = message
  }

  override actOn({ outboxForGroups }: Member): void {
    outboxForGroups.take(this.message)
  }
}

/** The end of all. */
export class Closing extends FanOut {
  readonly step = 'close'
  readonly message = undefined
  readonly #code: number | undefined
  readonly #reason: string | Buffer | undefined

  constructor(
    number: number,
    crowd: Crowd,
    turns: Set<FanOut>,
    code: number | undefined,
    reason: string | Buffer | undefined,
  ) {
    super(number, crowd, turns)
    this.#code = code
    this.#reason = reason
  }

  override actOn(member: Member): void {
    member.close(this.#code, this.#reason)
  }
}
