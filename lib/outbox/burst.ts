import { Socket } from 'node:net'
import type { SendOptions } from '../api/socket.js'
import { MOST_COPIED, MOST_HELD } from '../core/budgets.js'
import { MOST_HEADER } from '../core/frame.js'
import { type Payload, sizeOf } from '../platform/payload.js'
import { throwLater } from '../platform/throw-later.js'
import { windowBitsOf } from '../platform/ws-deflate.js'
import { isSendOwn } from '../platform/ws-own.js'
import { hasMoreRead, isReading } from '../platform/ws-receiver.js'
import { isBetweenMessages } from '../platform/ws-sender.js'
import type { Holder } from '../time/turns.js'
import { frameOf } from './frames.js'
import type { OutboxOwner } from './owner.js'
import type { SendCallback } from './send-callbacks.js'
import { asText, isBinary, isFragment, isMasked } from './send-options.js'
import type { SharedMessage } from './shared-message.js'

/**
 * The longest message that is copied when it leaves alone, in bytes or units of UTF-16. It is cheaper to hand
 * a longer one to ws.
 */
const MOST_COPIED_ALONE = 512

/**
 * - `free`: nothing is held back, and the end of the turn is not awaited.
 * - `holding`: the stream is corked, and messages wait for the end of the turn.
 * - `left early`: the messages that were held back have left, but the turn has not ended yet.
 *
 *     free ──▶ holding ◀──▶ left early
 *       ◀── turnOver() ───────┘
 */
type BurstState = 'free' | 'holding' | 'left early'

/**
 * Decides which messages leave together. The first message of a turn of the loop leaves at once, and the
 * others as one write when the turn is over. If a turn answers several messages of one read, the first answer
 * waits too. It is the base class of the one `Writer`, so that a connection has a single object for both.
 */
export abstract class Burst implements Holder {
  protected readonly owner: OutboxOwner
  protected readonly compresses: boolean
  /** The raw stream, if it is a socket. Another stream (injectWS) is not worth a cork. */
  readonly #socket: Socket | undefined
  #state: BurstState = 'free'
  /** Number of bytes sent since the stream was corked, or a few more. */
  #heldBytes = 0
  /** The number of the last turn in which a message left at once. */
  #turnOfFirst = -1
  /** `received` of the connection when a message was last answered at once. */
  #receivedAtAnswer = -1
  /** Whether the stream had nothing waiting before this message, or before this burst. */
  #wasStreamEmpty = false

  constructor(owner: OutboxOwner) {
    const { raw, socket } = owner
    this.owner = owner
    this.#socket = raw instanceof Socket ? raw : undefined
    this.compresses = socket.extensions !== ''
  }

  /** Gives a message to ws. */
  protected abstract write(
    payload: Payload,
    options: SendOptions,
    done: SendCallback | undefined,
  ): void

  /** Something was given to the stream. Bytes that the kernel does not take at once have to be watched. */
  protected abstract watchBacklog(): void

  /** Number of bytes of messages that are framed and not with the raw stream yet. */
  get bytesFramed(): number {
    const socket = this.#socket
    return socket ? this.owner.shared.frames.bytesOf(socket) : 0
  }

  /** Hands messages that are held back to the raw stream. */
  flush(): void {
    if (this.#state !== 'holding') return
    this.#state = 'left early'
    this.#leave()
  }

  turnOver(): void {
    const isHolding = this.#state === 'holding'
    this.#state = 'free'
    if (isHolding) this.#leave()
  }

  /** Whether that goes on. */
  isPreparing(message: SharedMessage): boolean {
    return this.compresses && message.isPreparing(windowBitsOf(this.owner.socket))
  }

  /** What is sent until {@link uncork} leaves together. */
  cork(): void {
    this.#socket?.cork()
  }

  uncork(): void {
    this.#socket?.uncork()
  }

  protected get isHolding(): boolean {
    return this.#state === 'holding'
  }

  /**
   * Notes whether this message, or this burst, waits behind others.
   * @param waiting number of bytes that the stream, or ws, has not handed over
   * @returns whether there are none
   */
  protected noteWaiting(waiting: number): boolean {
    if (!this.isHolding) this.#wasStreamEmpty = waiting === 0
    return this.#wasStreamEmpty
  }

  /**
   * Whether a message leaves at once, because it is the first of its turn, as far as we can tell. Notes that
   * there was one.
   */
  protected isFirstOfTurn(): boolean {
    if (this.isHolding) return false
    const { socket, received, shared } = this.owner
    if (isReading(socket)) {
      // Usually one read brings one message, and has one answer. Then we need not know when the turn ends.
      if (hasMoreRead(socket) || this.#receivedAtAnswer === received) return false
      this.#receivedAtAnswer = received
      return true
    }
    const turn = shared.turns.thisTurn()
    if (this.#turnOfFirst === turn) return false
    this.#turnOfFirst = turn
    return true
  }

  protected sendAtOnce(
    payload: Payload,
    options: SendOptions,
    done: SendCallback | undefined,
  ): void {
    const socket = this.#socket
    if (socket === undefined || !this.#mayFrame(payload, options, done, MOST_COPIED_ALONE)) {
      this.write(payload, options, done)
      return
    }
    socket.write(frameOf(payload, isBinary(payload, options)))
    this.noteSent()
    this.watchBacklog()
  }

  /**
   * The message leaves at the end of the turn, with the others. By then the app may have written into the
   * memory that it gave us. So a copy is held back. A message that is too long to copy leaves at once, behind
   * the others.
   */
  protected holdBack(payload: Payload, options: SendOptions, done: SendCallback | undefined): void {
    if (payload instanceof Uint8Array && !this.#mayCopy(payload)) {
      this.flush()
      this.write(payload, options, done)
      return
    }
    this.#hold()
    const framed = this.#frame(payload, options, done)
    if (framed > 0) {
      this.noteHeld(framed)
    } else if (typeof payload === 'string' && isSendOwn(this.owner.socket)) {
      const bytes = Buffer.from(payload)
      this.write(bytes, asText(options), done)
      this.noteHeld(bytes.length + MOST_HEADER)
    } else {
      this.write(toOwn(payload), options, done)
      this.noteHeld(sizeOf(payload) + MOST_HEADER)
    }
  }

  /** This message to many will be sent. */
  foresee(message: SharedMessage): void {
    const { socket } = this.owner
    if (this.compresses) message.foresee(socket, windowBitsOf(socket))
  }

  /** Hands a message to many to the raw stream, behind all that is held back. Nothing of it is copied. */
  protected sendShared(message: SharedMessage, done: SendCallback | undefined): void {
    const frame = this.#sharedFrame(message)
    if (frame === undefined) {
      this.write(message.payload, message.options, done)
      return
    }
    this.handOverFrames()
    if (done === undefined) this.#socket?.write(frame)
    else this.#socket?.write(frame, done as (error?: Error | null) => void)
    this.noteSent()
    if (this.isHolding) this.noteHeld(frame.length)
    else this.watchBacklog()
  }

  /** Counts bytes that are held back. */
  protected noteHeld(bytes: number): void {
    this.#heldBytes += bytes
    if (this.#heldBytes > MOST_HELD) this.flush()
  }

  /** Hands the frames that we have made to the stream. They come before anything that ws writes. */
  protected handOverFrames(): void {
    if (this.#socket !== undefined) this.owner.shared.frames.handOver(this.#socket)
  }

  protected noteSent(): void {
    const { owner } = this
    owner.sent++
    owner.sentAt = owner.shared.sweep.forgivingAtTick
  }

  /** A small copy is a piece of node's pool: if it waited for the peer, it would keep all 8 KiB of the pool. */
  #mayCopy(bytes: Uint8Array): boolean {
    return this.#wasStreamEmpty && bytes.length <= MOST_COPIED
  }

  /**
   * Frames a message into the buffer of {@link Frames}.
   * @returns the number of bytes added; 0 if ws has to send this message
   */
  #frame(payload: Payload, options: SendOptions, done: SendCallback | undefined): number {
    const { shared } = this.owner
    if (this.#socket === undefined || !this.#mayFrame(payload, options, done, MOST_COPIED)) return 0
    const framed = shared.frames.add(this.#socket, payload, isBinary(payload, options))
    if (framed > 0) this.noteSent()
    return framed
  }

  /**
   * Whether we may frame a message instead of ws: it is short, it is a frame of its own, and ws would write
   * it at once.
   */
  #mayFrame(
    payload: Payload,
    options: SendOptions,
    done: SendCallback | undefined,
    mostBytes: number,
  ): payload is string | Uint8Array {
    if (done !== undefined) return false
    if (!(typeof payload === 'string' || payload instanceof Uint8Array)) return false
    if (payload.length > mostBytes) return false
    // A message after the app has ended the stream itself is an error, as in ws.
    if (this.owner.raw.writableEnded) return false
    // A small copy is a piece of node's pool: if it waited for the peer, it would keep all 8 KiB of the pool.
    if (!this.#wasStreamEmpty || this.compresses) return false
    if (isMasked(options)) return false
    if (isFragment(options) || !isBetweenMessages(this.owner.socket)) return false
    // A tool that has replaced functions of ws has to see each message.
    return isSendOwn(this.owner.socket)
  }

  /** @returns `undefined` if ws has to send it */
  #sharedFrame(message: SharedMessage): Buffer | undefined {
    const { raw, socket } = this.owner
    if (this.#socket === undefined || raw.writableEnded) return undefined
    if (!isBetweenMessages(socket) || !isSendOwn(socket)) return undefined
    if (!this.compresses) return message.frameFor(socket, 0)
    const windowBits = windowBitsOf(socket)
    const isUnknown = windowBits === 0 && message.options.compress
    return isUnknown ? undefined : message.frameFor(socket, windowBits)
  }

  #hold(): void {
    const socket = this.#socket
    if (this.isHolding || socket === undefined) return
    const awaitsTurnEnd = this.#state === 'left early'
    this.#state = 'holding'
    this.#heldBytes = 0
    socket.cork()
    if (!awaitsTurnEnd) this.owner.shared.turns.hold(this)
  }

  #leave(): void {
    try {
      this.#handToStream()
    } catch (error) {
      // The error does not concern the message that is sent now, and must not stop an end.
      throwLater(error)
    }
    this.watchBacklog()
  }

  #handToStream(): void {
    try {
      this.handOverFrames()
    } finally {
      this.#socket?.uncork()
    }
  }
}

/** A copy that nobody else can write into. */
export function toOwn(payload: Payload): Payload {
  return payload instanceof Uint8Array ? Buffer.from(payload) : payload
}
