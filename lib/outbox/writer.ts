import { WebSocket } from 'ws'
import type { Data, SendOptions } from '../api/socket.js'
import { FRAME_OVERHEAD, LONGEST_LOOK } from '../core/budgets.js'
import { MOST_CONTROL, MOST_HEADER } from '../core/frame.js'
import { OutboxAge, type OutboxPolicy } from '../core/messages/outbox-age.js'
import { bytesTaken } from '../platform/node-internals.js'
import { type Payload, sizeAtMost, sizeOf, toPayload } from '../platform/payload.js'
import { callWs } from '../platform/ws-own.js'
import { bufferedByWs, dropUnprepared, isPreparing, queuedFrames } from '../platform/ws-sender.js'
import { Backlog, type BacklogOutbox, FEW_MESSAGES } from './backlog.js'
import { Burst, toOwn } from './burst.js'
import { handToWs } from './hand-to-ws.js'
import type { OutboxOwner } from './owner.js'
import { Postponed } from './postponed.js'
import { Room } from './room.js'
import { type SendCallback, SendCallbacks, tellTooLate } from './send-callbacks.js'
import { asText, isFragment, NO_OPTIONS } from './send-options.js'
import type { SharedMessage } from './shared-message.js'

/**
 * The outbox of a connection: messages that were sent and are not yet written to the network. The socket
 * calls it for each message, ping and pong of the app, the connection when the end comes and when the sweep
 * comes by.
 *
 * As long as little waits, a message costs a comparison of sizes, and leaves at once or with its burst
 * (`Burst`). Above the mark what waits is bounded and watched (`Backlog`), and `drained()` waits (`Room`). It
 * never sends anything on its own, and keeps no memory of the app.
 */
export class Writer extends Burst implements BacklogOutbox {
  /** Number of fragments sent; the last one of each message does not count. */
  fragments = 0
  readonly #policy: OutboxPolicy
  /** When this was made, and what the kernel had taken by then. The age of a backlog counts from there. */
  readonly #madeAt: number
  readonly #takenBefore: number | undefined
  /** Number of messages sent while others waited. It is reset when the stream has handed over all. */
  #sentBehind = 0
  /** Whether the last message was a fragment, and more of it follows. */
  #isFragmented = false
  #postponed: Postponed | undefined
  #backlog: Backlog | undefined
  #room: Room | undefined
  #callbacks: SendCallbacks | undefined

  constructor(owner: OutboxOwner, policy: OutboxPolicy) {
    super(owner)
    this.#policy = policy
    this.#madeAt = owner.shared.sweep.forgivingNow
    this.#takenBefore = policy.maxAge === false ? undefined : bytesTaken(owner.raw)
  }

  /** @throws TypeError if ws cannot send `data` */
  send(data: unknown, options: SendOptions, callback: SendCallback | undefined): boolean {
    const { owner } = this
    if (!this.#isFragmented) owner.membership?.catchUp()
    if (!owner.isOpen) return tellTooLate(owner, callback && this.#guard(callback))
    const payload = toPayload(data)
    const done = callback && this.#guard(callback)
    const size = sizeAtMost(payload) + FRAME_OVERHEAD
    owner.bytesUnseen += size
    const waiting = bufferedByWs(owner.socket)
    const atMost = waiting + this.bytesFramed + size
    if (this.#isStuck || atMost > this.#policy.highWaterMark || this.#standsBehindMany(waiting)) {
      return this.#sendAboveMark(payload, options, done)
    }
    if (this.isFirstOfTurn()) this.sendAtOnce(payload, options, done)
    else this.holdBack(payload, options, done)
    return true
  }

  /**
   * Whether a message to many may be handed to {@link Writer.take} later.
   * @param owed number of messages that will be handed over before it, of so many bytes
   */
  hasRoomFor({ bytes }: SharedMessage, owed: number, owedBytes: number): boolean {
    const size = bytes + FRAME_OVERHEAD
    const waiting = bufferedByWs(this.owner.socket) + this.bytesFramed + owedBytes
    const isBelow = !this.#isStuck && waiting + size <= this.#policy.highWaterMark
    if (isBelow && owed <= FEW_MESSAGES) return true
    this.flush()
    return !this.#getBacklog().isFull(bytes, owed, owedBytes + (this.#postponed?.bytes ?? 0))
  }

  /** There was no room for a message to many. */
  refuse(): void {
    this.#getBacklog().refuse(undefined)
  }

  /** Sends a message to many. It has been asked before whether there is room. @returns see {@link Writer.send} */
  take(message: SharedMessage): boolean {
    if (!this.owner.isOpen) return false
    if (!this.#isFragmented) return this.#sendToo(message)
    this.#postponed ??= new Postponed()
    this.#postponed.add(message)
    return true
  }

  /** Sends a control frame of the link: a text that begins with U+0000, and is no message of the app. */
  sendControl(text: string): void {
    this.owner.membership?.catchUp()
    const { sent } = this.owner
    Writer.prototype.send.call(this, text, NO_OPTIONS, undefined)
    this.owner.sent = sent
  }

  control(
    kind: 'ping' | 'pong',
    data: unknown,
    mask: boolean | undefined,
    callback: SendCallback | undefined,
  ): void {
    const { owner } = this
    const { socket } = owner
    const done = callback && this.#guard(callback)
    if (!owner.isOpen) {
      tellTooLate(owner, done)
      return
    }
    owner.membership?.catchUp()
    owner.bytesUnseen += MOST_CONTROL
    owner.sentAt = owner.shared.sweep.forgivingAtTick
    owner.noteControl()
    const waiting = bufferedByWs(socket)
    const atMost = waiting + this.bytesFramed + MOST_CONTROL
    if (atMost > this.#policy.highWaterMark || this.#standsBehindMany(waiting)) {
      this.#controlAboveMark(kind, data, mask, done)
      return
    }
    this.handOverFrames()
    // The app may write into the memory of `data` before the end of the turn.
    const own = this.isHolding ? toOwn(toPayload(data)) : data
    callWs(kind, socket, own, mask, done)
    if (this.isHolding) this.noteHeld(MOST_CONTROL + MOST_HEADER)
    else this.watchBacklog()
  }

  override get bytesFramed(): number {
    return super.bytesFramed + (this.#postponed?.bytes ?? 0)
  }

  /** See {@link Room.drained}. */
  drained(): Promise<boolean> {
    this.#room ??= new Room(this.#getBacklog())
    return this.#room.drained()
  }

  tellRoom(): void {
    this.#room?.tell()
  }

  /**
   * The peer has sent its close frame. Messages that are not compressed yet are dropped, so that it is
   * answered at once.
   */
  dropUnprepared(): void {
    const { owner } = this
    if (!isPreparing(owner.socket)) return
    const dropped = dropUnprepared(owner.socket, owner.abortReason())
    owner.shared.facts.messagesDropped(owner, 'sent', dropped)
  }

  /** The connection has left OPEN: nothing can be sent any more. */
  end(): void {
    this.flush()
    this.#room?.end()
  }

  /** The transport is gone: callbacks that still wait get an error. */
  transportGone(): void {
    this.end()
    this.#callbacks?.transportGone(this.owner)
  }

  /**
   * Looks whether the peer takes the bytes that wait.
   * @returns how long until the next look, in ms
   */
  judgeBacklog(forgivingNow: number): number {
    if (!this.#mayGrowTooOld && !this.#room?.isAwaited && !this.#isStuck) return Infinity
    this.#getBacklog().judge(forgivingNow)
    this.tellRoom()
    return Math.min(LONGEST_LOOK, (this.#policy.maxAge || Infinity) / 10)
  }

  /** From the next tick on the sweep looks at bytes that the kernel has not taken at once. */
  protected override watchBacklog(): void {
    if (this.#mayGrowTooOld) this.owner.lookBy(0)
  }

  protected override write(
    payload: Payload,
    options: SendOptions,
    done: SendCallback | undefined,
  ): void {
    this.handOverFrames()
    handToWs(this.owner.socket, payload as Data, options, done)
    if (!this.isHolding) this.watchBacklog()
    this.#isFragmented = isFragment(options)
    if (this.#isFragmented) this.fragments++
    else this.#messageEnded()
  }

  #sendToo(message: SharedMessage): boolean {
    const { owner } = this
    const size = message.bytes + FRAME_OVERHEAD
    owner.bytesUnseen += size
    const waiting = bufferedByWs(owner.socket)
    const atMost = waiting + this.bytesFramed + size
    if (
      !this.#isStuck &&
      atMost <= this.#policy.highWaterMark &&
      !this.#standsBehindMany(waiting)
    ) {
      this.sendShared(message, undefined)
      return true
    }
    this.flush()
    const backlog = this.#getBacklog()
    this.sendShared(message, backlog.whenWritten(undefined))
    backlog.messageAdded()
    return backlog.isBelowMark()
  }

  #messageEnded(): void {
    this.noteSent()
    const postponed = this.#postponed
    if (postponed === undefined) return
    this.#postponed = undefined
    for (const message of postponed.messages) this.#sendToo(message)
  }

  /** Whether bytes wait that may become too old: with the stream, or with ws, which compresses. */
  get #mayGrowTooOld(): boolean {
    return this.#takenBefore !== undefined && bufferedByWs(this.owner.socket) > 0
  }

  get #isStuck(): boolean {
    return this.#backlog !== undefined && this.#backlog.isStuck
  }

  #getBacklog(): Backlog {
    return (this.#backlog ??= this.#makeBacklog())
  }

  #makeBacklog(): Backlog {
    const age = OutboxAge.from(this.#policy.maxAge, this.#madeAt, this.#takenBefore)
    return new Backlog(this.owner, this.#policy, age, this)
  }

  /** Whether so many messages wait that the memory which node keeps for each has to be counted. */
  #standsBehindMany(waiting: number): boolean {
    if (this.noteWaiting(waiting)) this.#sentBehind = 0
    else if (++this.#sentBehind > FEW_MESSAGES) return true
    return this.compresses && queuedFrames(this.owner.socket) > FEW_MESSAGES
  }

  /** The slow path: above the mark we need exact sizes. */
  #sendAboveMark(payload: Payload, options: SendOptions, done: SendCallback | undefined): boolean {
    // Messages that we hold back ourselves must not count as waiting for the peer.
    this.flush()
    const backlog = this.#getBacklog()
    const bytes = sizeOf(payload)
    if (backlog.isFull(bytes)) {
      return backlog.refuse(done, !isFragment(options) && !this.#isFragmented)
    }
    // node counts the UTF-16 units of text that waits, but we need its bytes. If the two numbers are equal
    // the text itself is written, so that all connections that wait for the same text share it.
    if (typeof payload === 'string' && bytes !== payload.length) {
      this.write(Buffer.from(payload), asText(options), backlog.whenWritten(done))
    } else {
      this.write(payload, options, backlog.whenWritten(done))
    }
    backlog.messageAdded()
    return backlog.isBelowMark()
  }

  #controlAboveMark(
    kind: 'ping' | 'pong',
    data: unknown,
    mask: boolean | undefined,
    done: SendCallback | undefined,
  ): void {
    this.flush()
    const backlog = this.#getBacklog()
    if (backlog.isFull(MOST_CONTROL)) {
      backlog.refuse(done)
      return
    }
    WebSocket.prototype[kind].call(this.owner.socket, data, mask, backlog.whenWritten(done))
    this.watchBacklog()
    backlog.messageAdded()
  }

  /** Wraps a callback of the app: its errors belong to this connection, and it is called once. */
  #guard(callback: SendCallback): SendCallback {
    this.#callbacks ??= new SendCallbacks()
    return this.#callbacks.add(this.owner.callbacks.guard(callback))
  }
}
