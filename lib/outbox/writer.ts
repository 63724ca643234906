import { WebSocket } from 'ws'
import type { Data, SendOptions } from '../api/socket.js'
import { LONGEST_LOOK } from '../core/budgets.js'
import { MOST_CONTROL, MOST_HEADER } from '../core/frame.js'
import { OutboxAge, type OutboxPolicy } from '../core/messages/outbox-age.js'
import { bytesTaken } from '../platform/node-internals.js'
import { type Payload, sizeAtMost, sizeOf, toPayload } from '../platform/payload.js'
import { callWs, isSendOwn } from '../platform/ws-own.js'
import { bufferedByWs, dropUnprepared, isPreparing, queuedFrames } from '../platform/ws-sender.js'
import { Backlog, type BacklogOutbox, FEW_MESSAGES } from './backlog.js'
import { Burst, toOwn } from './burst.js'
import type { OutboxOwner } from './owner.js'
import { Room } from './room.js'
import { type SendCallback, SendCallbacks, tellTooLate } from './send-callbacks.js'
import { asText, isFragment, NO_OPTIONS } from './send-options.js'

/** What a frame has beside its message: a header (RFC 6455 §5.2), and what does not compress grows by. */
const OVERHEAD = 128

/**
 * The outbox of a connection: what was sent and not yet written to the network. The socket calls it for each message,
 * ping and pong of the app; the connection when the end comes, and when the sweep comes by. As long as little waits a
 * message costs a comparison of sizes, and it leaves at once or with its burst (`Burst`). Above the mark it is bounded
 * and tells when it has been written (`Backlog`); `drained()` waits for that (`Room`). It sends nothing of its own
 * accord, and never keeps memory of the app's.
 */
export class Writer extends Burst implements BacklogOutbox {
  /** Parts of messages that were sent, but for the last of each. */
  fragments = 0
  readonly #policy: OutboxPolicy
  /** When it was made, and what the kernel had taken by then: from there on the age of a backlog is counted. */
  readonly #madeAt: number
  readonly #takenBefore: number | undefined
  /** Messages sent while others waited: counted until the stream is seen to have handed over all. */
  #sentBehind = 0
  /** Whether the last that was sent is a part of a message, and more of it follows. */
  #isFragmented = false
  #backlog: Backlog | undefined
  #room: Room | undefined
  #callbacks: SendCallbacks | undefined

  constructor(owner: OutboxOwner, policy: OutboxPolicy) {
    super(owner)
    this.#policy = policy
    this.#madeAt = owner.shared.sweep.forgivingNow
    this.#takenBefore = policy.maxAge === false ? undefined : bytesTaken(owner.raw)
  }

  /** @throws TypeError where `data` is nothing that ws can send */
  send(data: unknown, options: SendOptions, callback: SendCallback | undefined): boolean {
    const { owner } = this
    if (!owner.isOpen) return tellTooLate(owner, callback && this.#guard(callback))
    const payload = toPayload(data)
    const done = callback && this.#guard(callback)
    const size = sizeAtMost(payload) + OVERHEAD
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
    owner.bytesUnseen += MOST_CONTROL
    owner.noteControl()
    const waiting = bufferedByWs(socket)
    const atMost = waiting + this.bytesFramed + MOST_CONTROL
    if (atMost > this.#policy.highWaterMark || this.#standsBehindMany(waiting)) {
      this.#controlAboveMark(kind, data, mask, done)
      return
    }
    this.handOverFrames()
    // Until the end of the turn the app may have written something else into it.
    const own = this.isHolding ? toOwn(toPayload(data)) : data
    callWs(kind, socket, own, mask, done)
    if (this.isHolding) this.noteHeld(MOST_CONTROL + MOST_HEADER)
    else this.watchBacklog()
  }

  /** See {@link Room.drained}. */
  drained(): Promise<boolean> {
    this.#room ??= new Room(this.owner, this.#getBacklog())
    return this.#room.drained()
  }

  tellRoom(): void {
    this.#room?.tell()
  }

  /** The peer has said its last: what is not compressed yet will not be, so that it is answered at once. */
  dropUnprepared(): void {
    const { owner } = this
    if (!isPreparing(owner.socket)) return
    owner.shared.facts.messagesDropped(dropUnprepared(owner.socket, owner.abortReason()))
  }

  /** The connection has left OPEN: nothing will be sent any more. */
  end(): void {
    this.flush()
    this.#room?.end()
  }

  /** The transport is gone: whoever waits for something to be written is told. */
  transportGone(): void {
    this.end()
    this.#callbacks?.transportGone(this.owner)
  }

  /**
   * Looks whether the peer takes what waits for it.
   * @returns how long until the next look, in ms
   */
  judgeBacklog(forgivingNow: number): number {
    if (!this.#mayGrowTooOld && !this.#room?.isAwaited && !this.#isStuck) return Infinity
    this.#getBacklog().judge(forgivingNow)
    this.tellRoom()
    return Math.min(LONGEST_LOOK, (this.#policy.maxAge || Infinity) / 10)
  }

  /** What the kernel does not take at once is looked after from the next tick on. */
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
    else this.noteSent()
  }

  /** Whether something waits that may become too old, with the stream or with ws, which compresses. */
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
    const { maxAge } = this.#policy
    const before = this.#takenBefore
    const isAged = maxAge !== false && before !== undefined
    const age = isAged ? new OutboxAge(maxAge, this.#madeAt, before) : undefined
    return new Backlog(this.owner, this.#policy, age, this)
  }

  /** Whether so many messages wait that what node keeps of each has to be counted. */
  #standsBehindMany(waiting: number): boolean {
    if (this.noteWaiting(waiting)) this.#sentBehind = 0
    else if (++this.#sentBehind > FEW_MESSAGES) return true
    return this.compresses && queuedFrames(this.owner.socket) > FEW_MESSAGES
  }

  /** The slow path: here, and nowhere before, exact sizes are needed. */
  #sendAboveMark(payload: Payload, options: SendOptions, done: SendCallback | undefined): boolean {
    // What we hold back ourselves is not the peer's fault.
    this.flush()
    const backlog = this.#getBacklog()
    const bytes = sizeOf(payload)
    if (backlog.isFull(bytes)) {
      return backlog.refuse(done, !isFragment(options) && !this.#isFragmented)
    }
    // node counts the UTF-16 units of text that waits; here its bytes have to be known. Where they are as
    // many, all who wait for the same text share it.
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

  /** What the app gave to be called: its errors are this connection's, and it is called once. */
  #guard(callback: SendCallback): SendCallback {
    this.#callbacks ??= new SendCallbacks()
    return this.#callbacks.add(this.owner.callbacks.guard(callback))
  }
}

function handToWs(
  socket: WebSocket,
  data: Data,
  options: SendOptions,
  done: SendCallback | undefined,
): void {
  if (isSendOwn(socket)) WebSocket.prototype.send.call(socket, data, options, done)
  // Some tools take the last argument for the callback, or add theirs behind it.
  else if (options === NO_OPTIONS) callWs('send', socket, data, done)
  else callWs('send', socket, data, options, done)
}
