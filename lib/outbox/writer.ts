import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import type { Holder, Turns } from '../time/turns.js'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CloseCause } from '../core/close/policy.js'
import {
  KERNEL_ROOM,
  LONGEST_LOOK,
  MOST_COPIED,
  MOST_HELD,
  MOST_PER_TURN,
} from '../core/budgets.js'
import { MOST_CONTROL, MOST_HEADER } from '../core/frame.js'
import { OutboxAge, type OutboxPolicy } from '../core/messages/outbox-age.js'
import { outboxFull } from '../errors.js'
import { type Frames, frameOf } from './frames.js'
import { bytesHeld, bytesTaken } from '../platform/node-internals.js'
import { hasMoreRead, isReading } from '../platform/ws-receiver.js'
import {
  bufferedByWs,
  dropUnprepared,
  isBetweenMessages,
  isPreparing,
  queuedFrames,
} from '../platform/ws-sender.js'
import { type Payload, sizeAtMost, sizeOf, toPayload } from '../platform/payload.js'
import { nextTick, queueMicrotask, setImmediate } from '../platform/real-time.js'
import type { Facts } from '../facts/facts.js'
import type { Clock } from '../time/clock.js'
import { afterNextPoll, type Sweep } from '../time/sweep.js'
import { throwLater } from '../platform/throw-later.js'
import { callWs, isSendOwn } from '../platform/ws-own.js'

type Data = Parameters<WebSocket['send']>[0]
type Callback = (error?: Error) => void

export interface SendOptions {
  mask?: boolean
  binary?: boolean
  compress?: boolean
  fin?: boolean
}

export const NO_OPTIONS: SendOptions = Object.freeze({})

/** What the outbox needs of its connection. */
export interface OutboxOwner {
  readonly shared: {
    readonly clock: Clock
    readonly facts: Facts
    readonly frames: Frames
    readonly sweep: Sweep
    readonly turns: Turns
  }
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly callbacks: Callbacks
  readonly isOpen: boolean
  /** Messages and control frames that came. */
  readonly received: number
  /** Messages sent. */
  sent: number
  /** When the last of them was. */
  sentAt: number
  /** How many bytes were sent since the last look, or a few more. */
  bytesUnseen: number
  /** Asks for a look by then, if none is due before. */
  lookBy(at: number): void
  /** A ping or pong is being sent. */
  noteControl(): void
  end(cause: CloseCause): void
  /** A callback of the app's did wrong: the connection ends. */
  fail(error: Error, step: string): void
  /** What callbacks get that come too late. */
  abortReason(): Error
}

/** A message that leaves alone is cheaper to hand over than to copy beyond this; in bytes, or units of UTF-16. */
const MOST_COPIED_ALONE = 512

/** What node keeps of a message that waits, in bytes, beside the message: its two writes, and who is told. */
const KEPT_FOR_A_WRITE = 448
/** The same of one that waits to be compressed. */
const KEPT_FOR_COMPRESSION = 1_152
/** What is counted of either where a single turn of the loop sends them: they are gone soon. */
const LEAST_OF_A_MESSAGE = 256
/** So many messages are not worth to be weighed. */
const FEW = 256

/** What a frame has beside its message: a header (RFC 6455 §5.2), and what does not compress grows by. */
const OVERHEAD = 128

/**
 * The outbox of a connection: what was sent and not yet written to the network. What one turn of
 * the loop sends beyond its first message leaves as one write, at the end of the turn; where it answers
 * several messages that one read has brought, and at once, the first one does too.
 */
export class Writer implements Holder {
  /** Parts of messages that were sent, but for the last of each. */
  fragments = 0
  readonly #owner: OutboxOwner
  readonly #policy: OutboxPolicy
  readonly #age: OutboxAge | undefined
  /** A stream that is no socket is not worth a cork (injectWS). */
  readonly #socket: Socket | undefined
  /** Called, in a later tick, when a message has been written that was sent above the mark. */
  readonly #written: () => void
  readonly #compresses: boolean
  /** The last one in which a message left at once. */
  #turn = -1
  /** `received` at the last message that was answered at once. */
  #answered = -1
  /** How often `drained()` has answered at once. */
  #answers = 0
  /** How many messages were sent since the stream had handed over all, or fewer than {@link FEW}. */
  #behind = 0
  /** Messages that will tell when they have been written. */
  #unwritten = 0
  #isHolding = false
  #awaitsTurnEnd = false
  /** Bytes that were sent since the last cork was set, or a few more. */
  #held = 0
  /** Whether the stream had handed over all that was sent before this message, or before this burst. */
  #wasStreamEmpty = false
  #isStuck = false
  #isFragmented = false
  /** Callbacks of what was sent. */
  #pending: Set<Callback> | undefined
  readonly #waiters: Array<(hasRoom: boolean) => void> = []

  constructor(owner: OutboxOwner, policy: OutboxPolicy) {
    const { raw, shared } = owner
    this.#owner = owner
    this.#policy = policy
    this.#socket = raw instanceof Socket ? raw : undefined
    this.#written = () => this.#onWritten()
    this.#compresses = owner.socket.extensions !== ''
    const taken = bytesTaken(raw)
    if (policy.maxAge !== false && taken !== undefined) {
      this.#age = new OutboxAge(policy.maxAge, shared.sweep.forgivingNow, taken)
    }
  }

  /** Bytes of messages that are framed and not with the raw stream yet. */
  get bytesFramed(): number {
    const socket = this.#socket
    return socket ? this.#owner.shared.frames.bytesOf(socket) : 0
  }

  /** @throws TypeError where `data` is nothing that ws can send */
  send(data: unknown, options: SendOptions, callback: Callback | undefined): boolean {
    const owner = this.#owner
    if (!owner.isOpen) return this.#tellLate(callback && this.#guard(callback))
    const payload = toPayload(data)
    const done = callback && this.#guard(callback)
    const size = sizeAtMost(payload) + OVERHEAD
    owner.bytesUnseen += size
    const waiting = bufferedByWs(owner.socket)
    const atMost = waiting + this.bytesFramed + size
    if (this.#isStuck || atMost > this.#policy.highWaterMark || this.#areManyBehind(waiting)) {
      return this.#sendAboveMark(payload, options, done)
    }
    if (this.#mayLeave()) this.#sendAtOnce(payload, options, done)
    else this.#holdBack(payload, options, done)
    return true
  }

  control(
    kind: 'ping' | 'pong',
    data: unknown,
    mask: boolean | undefined,
    callback: Callback | undefined,
  ): void {
    const { socket, isOpen } = this.#owner
    const done = callback && this.#guard(callback)
    if (!isOpen) {
      this.#tellLate(done)
      return
    }
    this.#owner.bytesUnseen += MOST_CONTROL
    this.#owner.noteControl()
    const waiting = bufferedByWs(socket)
    const atMost = waiting + this.bytesFramed + MOST_CONTROL
    if (atMost <= this.#policy.highWaterMark && !this.#areManyBehind(waiting)) {
      this.#handOverFrames()
      // Until the end of the turn the app may have written something else into it.
      const own = this.#isHolding ? toOwn(toPayload(data)) : data
      callWs(kind, socket, own, mask, done)
      if (this.#isHolding) this.#noteHeld(MOST_CONTROL + MOST_HEADER)
      else this.#watchBacklog()
      return
    }
    this.flush()
    if (this.#isFull(MOST_CONTROL)) {
      this.#overflow(done)
    } else {
      WebSocket.prototype[kind].call(socket, data, mask, this.#telling(done))
      this.#watchBacklog()
      this.#unwritten++
    }
  }

  /** Hands what is held back to the raw stream. */
  flush(): void {
    if (!this.#isHolding) return
    this.#isHolding = false
    try {
      this.#handToStream()
    } catch (error) {
      // It is no error of the message that is sent now, nor must it keep an end from going on.
      throwLater(error)
    }
    this.#watchBacklog()
  }

  turnOver(): void {
    this.#awaitsTurnEnd = false
    this.flush()
  }

  /** Resolves with `true` when there is room below the mark, with `false` when the end has begun. */
  drained(): Promise<boolean> {
    if (!this.#isAlive) return falseInNextTurn()
    if (!this.#isBelowMark()) return this.#waitForRoom()
    if (++this.#answers < MOST_PER_TURN) return Promise.resolve(true)
    // Where the peer keeps up, or nothing is sent, a loop would have the process for itself.
    this.#answers = 0
    return new Promise((resolve) => {
      setImmediate(() => resolve(this.drained()))
    })
  }

  /** The peer has said its last: what is not compressed yet will not be, so that it is answered at once. */
  dropUnprepared(): void {
    if (!isPreparing(this.#owner.socket)) return
    const owner = this.#owner
    owner.shared.facts.messagesDropped(dropUnprepared(owner.socket, owner.abortReason()))
  }

  /** The transport is gone: whoever waits for something to be written is told. */
  transportGone(): void {
    this.end()
    for (const done of this.#pending ?? []) done(this.#owner.abortReason())
  }

  /** The connection has left OPEN: nothing will be sent any more. */
  end(): void {
    this.flush()
    const waiters = this.#waiters.splice(0)
    if (waiters.length === 0) return
    setImmediate(() => {
      for (const tell of waiters) tell(false)
    })
  }

  /**
   * Looks whether the peer takes what waits for it.
   * @returns how long until the next look, in ms
   */
  look(forgivingNow: number): number {
    const { maxAge } = this.#policy
    if (!this.#hasBacklog && this.#waiters.length === 0 && !this.#isStuck) return Infinity
    const isStuck = this.#looksStuck(forgivingNow)
    // What the peer took while our loop stood still shows after the next poll.
    if (isStuck && !this.#isStuck) afterNextPoll(() => this.#judge())
    else this.#isStuck = isStuck
    this.#tellRoom()
    return Math.min(LONGEST_LOOK, (maxAge || Infinity) / 10)
  }

  /** What the kernel does not take at once is looked after from the next tick on. */
  #watchBacklog(): void {
    if (this.#hasBacklog) this.#owner.lookBy(0)
  }

  /** Whether something waits that may become too old, with the stream or with ws, which compresses. */
  get #hasBacklog(): boolean {
    return this.#age !== undefined && bufferedByWs(this.#owner.socket) > 0
  }

  #looksStuck(forgivingNow: number): boolean {
    const { raw } = this.#owner
    const taken = bytesTaken(raw)
    if (this.#age === undefined || taken === undefined) return false
    return this.#age.look(forgivingNow, taken, raw.writableLength > 0 || bytesHeld(raw) > 0)
  }

  #judge(): void {
    const owner = this.#owner
    this.#isStuck = this.#looksStuck(owner.shared.sweep.forgivingNow)
    if (this.#isStuck && this.#policy.overflow === 'close') owner.end('slow-consumer')
  }

  /** Here, and nowhere before, it has to be known how large a message is, and what waits before it. */
  #sendAboveMark(payload: Payload, options: SendOptions, done: Callback | undefined): boolean {
    // What we hold back ourselves is not the peer's fault.
    this.flush()
    const bytes = sizeOf(payload)
    if (this.#isFull(bytes)) {
      return this.#overflow(done, !isFragment(options) && !this.#isFragmented)
    }
    // node counts the UTF-16 units of text that waits; here its bytes have to be known. Where they are as
    // many, all who wait for the same text share it.
    if (typeof payload === 'string' && bytes !== payload.length) {
      this.#writeAndTell(Buffer.from(payload), asText(options), done)
    } else {
      this.#writeAndTell(payload, options, done)
    }
    return this.#isBelowMark()
  }

  /** Whether a message of so many bytes is too much. */
  #isFull(bytes: number): boolean {
    if (this.#isStuck) return true
    const { socket, raw } = this.#owner
    const waiting = bufferedByWs(socket)
    // ws queues what waits to be compressed, also messages of no bytes.
    const queued = queuedFrames(socket)
    // Where nothing waits, a message of any size may leave.
    if (waiting === 0 && queued === 0) return false
    const { maxBytes, overflow } = this.#policy
    if (this.#isPeersFault) return waiting + bytes + this.#keptForMessages(queued) > maxBytes
    const atMost = maxBytes + KERNEL_ROOM
    const messages = Math.max(this.#unwritten, queued)
    if (waiting + bytes > atMost || messages * LEAST_OF_A_MESSAGE > atMost) return true
    // No kernel has seen what waits to be compressed. It is ours to drop; to end a connection for it would blame the peer.
    const toCompress = waiting - raw.writableLength
    if (overflow === 'close' || toCompress === 0) return false
    return toCompress + bytes + weigh(queued, KEPT_FOR_COMPRESSION) > maxBytes
  }

  /** Whether it is the peer that does not take more: else what waits is on its way within our process. */
  get #isPeersFault(): boolean {
    return this.#isStuck || this.#socket === undefined || bytesHeld(this.#socket) > 0
  }

  #writeAndTell(data: Payload, options: SendOptions, done: Callback | undefined): void {
    this.#write(data, options, this.#telling(done))
    this.#unwritten++
  }

  #write(payload: Payload, options: SendOptions, done: Callback | undefined): void {
    this.#handOverFrames()
    handToWs(this.#owner.socket, payload as Data, options, done)
    if (!this.#isHolding) this.#watchBacklog()
    this.#isFragmented = isFragment(options)
    if (this.#isFragmented) this.fragments++
    else this.#noteSent()
  }

  #noteSent(): void {
    const owner = this.#owner
    owner.sent++
    owner.sentAt = owner.shared.sweep.forgivingAtTick
  }

  /** A callback that tells us too when its message has been written; mostly the same for all. */
  #telling(done: Callback | undefined): Callback {
    const written = this.#written
    if (done === undefined) return written
    return (error) => {
      done(error)
      written()
    }
  }

  /**
   * Of what ws still has to compress, or to read, it tells when it has done so, which may be after the end: callbacks
   * are kept, and told in time.
   */
  #guard(callback: Callback): Callback {
    const done = this.#owner.callbacks.guard(callback)
    const pending = (this.#pending ??= new Set())
    const once: Callback = (error) => {
      if (pending.delete(once)) done(error)
    }
    pending.add(once)
    return once
  }

  #onWritten(): void {
    this.#unwritten--
    this.#tellRoom()
  }

  /** Whether a message need not wait for others: it is the first of its turn, as far as we can tell. */
  #mayLeave(): boolean {
    if (this.#isHolding) return false
    const { socket, received, shared } = this.#owner
    if (isReading(socket)) {
      // As a rule one read brings one message, and has one answer: nobody has to hear of the turn's end.
      if (hasMoreRead(socket) || this.#answered === received) return false
      this.#answered = received
      return true
    }
    const turn = shared.turns.thisTurn()
    if (this.#turn === turn) return false
    this.#turn = turn
    return true
  }

  #sendAtOnce(payload: Payload, options: SendOptions, done: Callback | undefined): void {
    const socket = this.#socket
    if (socket === undefined || !this.#isPlain(payload, options, done, MOST_COPIED_ALONE)) {
      this.#write(payload, options, done)
      return
    }
    socket.write(frameOf(payload, isBinary(payload, options)))
    this.#noteSent()
    this.#watchBacklog()
  }

  /**
   * It leaves at the end of the turn, with the others. By then the app may have written something else into the memory
   * that it gave us, so that only a copy of it is held back. What is too long for that leaves at once, behind the others.
   */
  #holdBack(payload: Payload, options: SendOptions, done: Callback | undefined): void {
    if (payload instanceof Uint8Array && !this.#mayCopy(payload)) {
      this.flush()
      this.#write(payload, options, done)
      return
    }
    this.#hold()
    const framed = this.#frame(payload, options, done)
    if (framed > 0) {
      this.#noteHeld(framed)
    } else if (typeof payload === 'string' && isSendOwn(this.#owner.socket)) {
      const bytes = Buffer.from(payload)
      this.#write(bytes, asText(options), done)
      this.#noteHeld(bytes.length + MOST_HEADER)
    } else {
      this.#write(toOwn(payload), options, done)
      this.#noteHeld(sizeOf(payload) + MOST_HEADER)
    }
  }

  /** A small copy is a piece of a pool of node's: if it waited for the peer, it would keep all of that. */
  #mayCopy(bytes: Uint8Array): boolean {
    return this.#wasStreamEmpty && bytes.length <= MOST_COPIED
  }

  /** @returns how many bytes of this message are among the frames now; if none, it takes ws to send it */
  #frame(payload: Payload, options: SendOptions, done: Callback | undefined): number {
    const { shared } = this.#owner
    if (this.#socket === undefined || !this.#isPlain(payload, options, done, MOST_COPIED)) return 0
    const framed = shared.frames.add(this.#socket, payload, isBinary(payload, options))
    if (framed > 0) this.#noteSent()
    return framed
  }

  /** Whether it is a frame of its own, that ws would write at once, and short enough to be copied. */
  #isPlain(
    payload: Payload,
    options: SendOptions,
    done: Callback | undefined,
    mostBytes: number,
  ): payload is string | Uint8Array {
    if (done !== undefined) return false
    if (!(typeof payload === 'string' || payload instanceof Uint8Array)) return false
    if (payload.length > mostBytes) return false
    // What comes after an end that the app has given to the stream itself is an error, as in ws.
    if (this.#owner.raw.writableEnded) return false
    // A small copy is a piece of a pool of node's: if it waited for the peer, it would keep all of that.
    if (!this.#wasStreamEmpty || this.#compresses) return false
    if (options.mask && isGiven(options, 'mask')) return false
    if (isFragment(options) || !isBetweenMessages(this.#owner.socket)) return false
    // A tool is to see each message.
    return isSendOwn(this.#owner.socket)
  }

  #handToStream(): void {
    try {
      this.#handOverFrames()
    } finally {
      this.#socket?.uncork()
    }
  }

  #handOverFrames(): void {
    if (this.#socket !== undefined) this.#owner.shared.frames.handOver(this.#socket)
  }

  #hold(): void {
    const socket = this.#socket
    if (this.#isHolding || socket === undefined) return
    this.#isHolding = true
    this.#held = 0
    socket.cork()
    this.#awaitTurnEnd()
  }

  #noteHeld(bytes: number): void {
    this.#held += bytes
    if (this.#held > MOST_HELD) this.flush()
  }

  #awaitTurnEnd(): void {
    if (this.#awaitsTurnEnd) return
    this.#awaitsTurnEnd = true
    this.#owner.shared.turns.hold(this)
  }

  /** @returns `false`: nothing was queued */
  #overflow(done: Callback | undefined, isDroppable = true): false {
    const owner = this.#owner
    if (this.#policy.overflow === 'drop' && isDroppable) {
      owner.shared.facts.messagesDropped(1)
      if (done) nextTick(done, outboxFull('the message was dropped'))
      return false
    }
    if (this.#isPeersFault) owner.end('slow-consumer')
    else owner.fail(outboxFull('one turn of the event loop has sent more than can leave'), 'send')
    return this.#tellLate(done)
  }

  /**
   * Notes whether this message, or this burst, stands behind others that the stream has not handed over.
   * @returns whether they are so many that what node keeps of each has to be counted
   */
  #areManyBehind(waiting: number): boolean {
    if (!this.#isHolding) this.#wasStreamEmpty = waiting === 0
    if (this.#wasStreamEmpty) this.#behind = 0
    else if (++this.#behind > FEW) return true
    return this.#compresses && queuedFrames(this.#owner.socket) > FEW
  }

  /** What node keeps of the messages that wait, beside their bytes. */
  #keptForMessages(queued: number): number {
    const written = Math.max(0, this.#unwritten - queued)
    return weigh(written, KEPT_FOR_A_WRITE) + weigh(queued, KEPT_FOR_COMPRESSION)
  }

  /** ws says OPEN a little longer than there is a stream to write to. */
  get #isAlive(): boolean {
    return this.#owner.isOpen && !this.#owner.raw.destroyed
  }

  #isBelowMark(): boolean {
    const { socket } = this.#owner
    const { highWaterMark } = this.#policy
    if (socket.bufferedAmount > highWaterMark) this.flush()
    const kept = this.#keptForMessages(queuedFrames(socket))
    return !this.#isStuck && socket.bufferedAmount + kept <= highWaterMark
  }

  #waitForRoom(): Promise<boolean> {
    const { shared } = this.#owner
    // Where a control frame of our own went over the mark no callback tells, but a look does.
    this.#owner.lookBy(shared.clock.now() + LONGEST_LOOK)
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
    })
  }

  /** One after the other: what the first one sends may leave no room for the next. */
  #tellRoom(): void {
    if (this.#waiters.length === 0 || !this.#isAlive || !this.#isBelowMark()) return
    this.#waiters.shift()?.(true)
    queueMicrotask(() => this.#tellRoom())
  }

  /** What comes too late is told so in a later tick, as in ws. */
  #tellLate(done: Callback | undefined): false {
    if (done !== undefined) nextTick(done, this.#owner.abortReason())
    return false
  }
}

function handToWs(
  socket: WebSocket,
  data: Data,
  options: SendOptions,
  done: Callback | undefined,
): void {
  if (isSendOwn(socket)) WebSocket.prototype.send.call(socket, data, options, done)
  // Some tools take the last argument for the callback, or add theirs behind it.
  else if (options === NO_OPTIONS) callWs('send', socket, data, done)
  else callWs('send', socket, data, options, done)
}

/** What nobody else can write into. */
function toOwn(payload: Payload): Payload {
  return payload instanceof Uint8Array ? Buffer.from(payload) : payload
}

/** What node keeps of so many messages; of a few it does not matter. */
function weigh(messages: number, kept: number): number {
  return Math.max(0, messages - FEW) * kept
}

const AS_TEXT: SendOptions = Object.freeze({ binary: false })

/** Options for the bytes of a text. */
function asText(options: SendOptions): SendOptions {
  return options === NO_OPTIONS ? AS_TEXT : { binary: false, ...options }
}

/** Whether more of the same message follows, as ws takes it. */
function isFragment(options: SendOptions): boolean {
  return !options.fin && isGiven(options, 'fin')
}

function isBinary(payload: string | Uint8Array, options: SendOptions): boolean | undefined {
  return isGiven(options, 'binary') ? options.binary : typeof payload !== 'string'
}

/** Whether an option was given: ws sees no inherited ones. What is not there at all is found out faster. */
function isGiven(options: SendOptions, name: keyof SendOptions): boolean {
  return name in options && Object.hasOwn(options, name)
}

function falseInNextTurn(): Promise<boolean> {
  return new Promise((resolve) => {
    setImmediate(resolve, false)
  })
}
