import { ACK_DELAY, ack, type Control, readControl } from '../core/session/link.js'
import type { Incoming } from '../core/session/numbering.js'
import type { Clock } from '../time/clock.js'

/** What `Link` needs of its connection. */
export interface LinkOwner {
  readonly shared: { readonly clock: Clock }
  /** Of `messageRate`. */
  readonly rate: { admits(): boolean } | undefined
  /** Whether little waits for the peer. */
  readonly hasRoom: boolean
  /** Sends a control frame. */
  writeControl(text: string): void
  lookBy(at: number): void
  /**
   * The peer tells how many messages it has received.
   * @returns how many of these are news; `undefined` if so many cannot be
   */
  acknowledged(received: number): number | undefined
  /** The peer does not keep to the link. */
  violated(reason: string): void
  /** The peer sends too many control frames. */
  tooMany(): void
}

/**
 * What our client and we say to each other on one connection, beside the messages of the app: who has
 * received how many, and whether we are there.
 */
export class Link {
  readonly incoming: Incoming
  readonly #owner: LinkOwner
  /** When the client has to be told how many messages have come, by the clock. */
  #tellAt = Infinity
  #hasHeard = false

  /** @param incoming the count of the session, or of this connection */
  constructor(owner: LinkOwner, incoming: Incoming) {
    this.#owner = owner
    this.incoming = incoming
  }

  /** A message has come. */
  note(bytes: number): void {
    if (this.incoming.note(bytes)) this.tell()
    else if (this.#tellAt === Infinity) this.#tellBy(this.#owner.shared.clock.now() + ACK_DELAY)
  }

  /** Tells how many messages have come. With a backlog it waits, so that a flood of probes costs nothing. */
  tell(): void {
    if (this.#owner.hasRoom) this.#tellNow()
    else this.#tellBy(this.#owner.shared.clock.now())
  }

  /** Our close frame follows. */
  sayLast(): void {
    if (this.incoming.owes) this.#tellNow()
  }

  /** @returns how long until the next look, in ms */
  look(now: number): number {
    if (now >= this.#tellAt && this.#owner.hasRoom) this.#tellNow()
    return Math.max(0, this.#tellAt - now)
  }

  /**
   * A control frame has come. An acknowledgement is free if it tells news, because their number follows from
   * what we send; so is the first one, which answers our welcome. Any other control frame counts for
   * `messageRate`.
   */
  read(text: string): void {
    const control = readControl(text)
    if (control?.kind === 'ack') {
      const news = this.#owner.acknowledged(control.value)
      if (news === undefined) this.#owner.violated('impossible-count')
      else if (news === 0 && this.#hasHeard) this.#count()
      this.#hasHeard = true
    } else if (this.#count()) {
      this.#obey(control)
    }
  }

  /** @returns whether it is within the rate */
  #count(): boolean {
    const isWithin = this.#owner.rate?.admits() !== false
    if (!isWithin) this.#owner.tooMany()
    return isWithin
  }

  #obey(control: Control | undefined): void {
    if (control?.kind === 'probe') this.tell()
    // A kind that we do not know is of a later version.
    else if (control?.kind !== 'unknown') this.#owner.violated('malformed-control-frame')
  }

  #tellBy(at: number): void {
    this.#tellAt = at
    this.#owner.lookBy(at)
  }

  #tellNow(): void {
    this.#tellAt = Infinity
    this.#owner.writeControl(ack(this.incoming.tell()))
  }
}
