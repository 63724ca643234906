import type { Data, SendOptions } from '../api/socket.js'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CauseWithCode } from '../core/close/policy.js'
import type { OutboxPolicy } from '../core/messages/outbox-age.js'
import { Outgoing } from '../core/session/numbering.js'
import type { Facts } from '../facts/facts.js'
import type { RecordedSubject } from '../facts/subjects.js'
import type { MemberOutbox, Membership } from '../groups/membership.js'
import { weigh } from '../outbox/backlog.js'
import { toOwn } from '../outbox/burst.js'
import { marked } from '../outbox/marked.js'
import { type Level, Room } from '../outbox/room.js'
import { type SendCallback, tellDropped, tellTooLate } from '../outbox/send-callbacks.js'
import { isFragment, NO_OPTIONS } from '../outbox/send-options.js'
import { SharedMessage } from '../outbox/shared-message.js'
import { type Payload, sizeOf, toPayload } from '../platform/payload.js'
import type { Line } from './line.js'

/** What `SessionOutbox` needs of its session. */
export interface SessionOutboxOwner extends RecordedSubject {
  readonly shared: { readonly facts: Facts }
  readonly callbacks: Callbacks
  readonly membership: Membership | undefined
  /** The connection of now, if there is one. */
  readonly line: Line | undefined
  /** Whether the session has not begun to end. */
  readonly isOpen: boolean
  end(cause: CauseWithCode): void
  /** So many more bytes are kept, with what each message takes beside its own. */
  noteKept(bytes: number): void
  /** Makes the error for callbacks of messages that are not confirmed. */
  abortReason(): Error
}

interface Kept {
  readonly payload: Payload | SharedMessage
  readonly options: SendOptions
  readonly bytes: number
  readonly done: SendCallback | undefined
}

/** How many bytes a message takes that is kept, beside its own. */
const KEPT_FOR_A_MESSAGE = 128

/**
 * The outbox of a session whose client confirms messages. It keeps each message until then, and hands it to
 * the connection of the moment as long as little waits there. So nothing is kept twice, and a new connection
 * gets all that the client has not confirmed.
 */
export class SessionOutbox implements Level, MemberOutbox {
  readonly #owner: SessionOutboxOwner
  readonly #policy: OutboxPolicy
  readonly #outgoing = new Outgoing<Kept>()
  #bytes = 0
  /** Whether so much waits in the connection that it gets no more for now. */
  #isBlocked = false
  #room: Room | undefined

  constructor(owner: SessionOutboxOwner, policy: OutboxPolicy) {
    this.#owner = owner
    this.#policy = policy
  }

  /** Number of messages that the client has not confirmed. */
  get unacknowledged(): number {
    return this.#outgoing.size
  }

  /** Number of messages in all. */
  get total(): number {
    return this.#outgoing.total
  }

  /** Number of bytes that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** Number of bytes that it takes. For the sum over many sessions few messages count, too. */
  get footprint(): number {
    return this.#bytes + this.#outgoing.size * KEPT_FOR_A_MESSAGE
  }

  get isAlive(): boolean {
    return this.#owner.isOpen
  }

  /** @throws TypeError for a fragment, and if ws cannot send `data` */
  send(data: Data, options: SendOptions, callback: SendCallback | undefined): boolean {
    const owner = this.#owner
    const payload = toMessage(data, options)
    const done = callback && owner.callbacks.guard(callback)
    if (!owner.isOpen) return tellTooLate(owner, done)
    const bytes = sizeOf(payload)
    if (this.#outgoing.size > 0 && this.#weight + bytes > this.#policy.maxBytes) {
      return this.#refuse(done)
    }
    this.#keep({ payload, options, bytes, done })
    return this.isBelowMark()
  }

  hasRoomFor({ bytes }: SharedMessage, owed: number, owedBytes: number): boolean {
    const before = this.#outgoing.size + owed
    if (before === 0) return true
    return (
      this.#bytes + owedBytes + bytes + weigh(before, KEPT_FOR_A_MESSAGE) <= this.#policy.maxBytes
    )
  }

  /** There was no room for a message to many. */
  refuse(): void {
    this.#refuse(undefined)
  }

  foresee(message: SharedMessage): void {
    this.#owner.line?.writer.foresee(message.forLink)
  }

  isPreparing(message: SharedMessage): boolean {
    return this.#owner.line?.writer.isPreparing(message.forLink) === true
  }

  /** Keeps a message to many, and sends it. */
  take(message: SharedMessage): void {
    const payload = message.forLink
    this.#keep({ payload, options: NO_OPTIONS, bytes: payload.bytes, done: undefined })
  }

  cork(): void {
    this.#owner.line?.writer.cork()
  }

  uncork(): void {
    this.#owner.line?.writer.uncork()
  }

  isBelowMark(): boolean {
    const owed = this.#owner.membership?.owedBytes ?? 0
    return this.#owner.isOpen && this.#weight + owed <= this.#policy.highWaterMark
  }

  /** An acknowledgement tells when there is room. */
  awaited(): void {}

  /** There may be room again. */
  tellRoom(): void {
    this.#room?.tell()
  }

  drained(): Promise<boolean> {
    return (this.#room ??= new Room(this)).drained()
  }

  /** Hands messages to the connection, as long as little waits there. */
  feed(): void {
    const { line } = this.#owner
    if (line === undefined) return
    for (let kept = this.#nextFor(line); kept !== undefined; kept = this.#nextFor(line)) {
      if (!hand(kept, line)) this.#waitFor(line)
    }
  }

  /** Our close frame follows, so all messages have to be before it. */
  flush(line: Line): void {
    while (line.isOpen) {
      const kept = this.#outgoing.next()
      if (kept === undefined) return
      hand(kept, line)
    }
  }

  /** Whether the client can have received so many messages. */
  isPossible(received: number): boolean {
    return this.#outgoing.isPossible(received)
  }

  /**
   * The client has received so many messages.
   * @returns how many of these are news; `undefined` if so many cannot be
   */
  acknowledge(received: number): number | undefined {
    const confirmed = this.#outgoing.acknowledge(received)
    if (confirmed === undefined) return undefined
    // First there is room: a callback may send.
    for (const { bytes } of confirmed) this.#bytes -= bytes
    for (const { done } of confirmed) done?.()
    this.tellRoom()
    return confirmed.length
  }

  /** A new connection: it gets what is not confirmed. */
  rewind(): void {
    this.#isBlocked = false
    this.#outgoing.rewind()
  }

  /** Nothing will be sent any more. */
  end(): void {
    this.#room?.end()
  }

  /** The transport is gone for good: tells the callbacks of messages that were not confirmed. */
  abandon(): void {
    for (const { done } of this.#outgoing.all()) done?.(this.#owner.abortReason())
  }

  #keep(kept: Kept): void {
    this.#outgoing.push(kept)
    this.#bytes += kept.bytes
    this.#owner.noteKept(kept.bytes + KEPT_FOR_A_MESSAGE)
    this.feed()
  }

  #nextFor(line: Line): Kept | undefined {
    return line.isOpen && !this.#isBlocked ? this.#outgoing.next() : undefined
  }

  get #weight(): number {
    return this.#bytes + weigh(this.#outgoing.size, KEPT_FOR_A_MESSAGE)
  }

  #waitFor(line: Line): void {
    this.#isBlocked = true
    void line.writer.drained().then(() => {
      if (this.#owner.line !== line) return
      this.#isBlocked = false
      this.feed()
    })
  }

  /** There is no room for a message. @returns `false`: nothing was queued */
  #refuse(done: SendCallback | undefined): false {
    const owner = this.#owner
    if (this.#policy.overflow === 'drop') return tellDropped(owner, done)
    owner.end('slow-consumer')
    return tellTooLate(owner, done)
  }
}

/** @returns whether little waits in the connection */
function hand({ payload, options }: Kept, line: Line): boolean {
  const { writer } = line
  if (payload instanceof SharedMessage) return writer.take(payload)
  return writer.send(payload, options, undefined)
}

/** @throws TypeError for a fragment, because a session counts whole messages */
export function refuseFragment(options: SendOptions): void {
  if (!isFragment(options)) return
  throw new TypeError('Expected a whole message, got a fragment (`fin: false`)')
}

/**
 * A message as it is kept: with memory of its own, and marked if it could be taken for a control frame.
 * @throws TypeError for a fragment, and for a Blob that is sent as text: its first letter is not at hand
 */
function toMessage(data: Data, options: SendOptions): Payload {
  refuseFragment(options)
  const payload = toPayload(data)
  const message = marked(payload, options)
  // The app may write into its own memory later.
  return message === payload ? toOwn(payload) : message
}
