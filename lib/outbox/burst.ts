import { Socket } from 'node:net'
import type { SendOptions } from '../api/socket.js'
import { MOST_COPIED, MOST_HELD } from '../core/budgets.js'
import { MOST_HEADER } from '../core/frame.js'
import { type Payload, sizeOf } from '../platform/payload.js'
import { throwLater } from '../platform/throw-later.js'
import { isSendOwn } from '../platform/ws-own.js'
import { hasMoreRead, isReading } from '../platform/ws-receiver.js'
import { isBetweenMessages } from '../platform/ws-sender.js'
import type { Holder } from '../time/turns.js'
import { frameOf } from './frames.js'
import type { OutboxOwner } from './owner.js'
import type { SendCallback } from './send-callbacks.js'
import { asText, isBinary, isFragment, isMasked } from './send-options.js'

/** A message that leaves alone is cheaper to hand over than to copy beyond this; in bytes, or units of UTF-16. */
const MOST_COPIED_ALONE = 512

/**
 * - `free`: nothing is held back, and no end of a turn is awaited.
 * - `holding`: the stream is corked, and what is sent waits for the end of the turn.
 * - `left early`: what was held back has left, and the end of the turn is still to come.
 *
 *     free ──▶ holding ◀──▶ left early
 *       ◀── turnOver() ───────┘
 */
type BurstState = 'free' | 'holding' | 'left early'

/**
 * What one turn of the loop sends leaves together: the first message at once, those behind it as one write when the
 * turn is over. Where a turn answers several messages that one read has brought, the first one waits too. Base class
 * of the one `Writer`, so that a connection has a single object for both.
 */
export abstract class Burst implements Holder {
  protected readonly owner: OutboxOwner
  protected readonly compresses: boolean
  /** A stream that is no socket is not worth a cork (injectWS). */
  readonly #socket: Socket | undefined
  #state: BurstState = 'free'
  /** Bytes that were sent since the stream was corked, or a few more. */
  #heldBytes = 0
  /** The number of the last turn in which a message left at once. */
  #turnOfFirst = -1
  /** `received` of the connection when a message was last answered at once. */
  #receivedAtAnswer = -1
  /** Whether the stream had handed over all that was sent before this message, or before this burst. */
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

  /** Something was handed to the stream: what the kernel does not take at once has to be watched. */
  protected abstract watchBacklog(): void

  /** Bytes of messages that are framed and not with the raw stream yet. */
  get bytesFramed(): number {
    const socket = this.#socket
    return socket ? this.owner.shared.frames.bytesOf(socket) : 0
  }

  /** Hands what is held back to the raw stream. */
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

  protected get isHolding(): boolean {
    return this.#state === 'holding'
  }

  /**
   * Notes whether this message, or this burst, stands behind others.
   * @param waiting bytes that the stream, or ws, has not handed over
   * @returns whether there are none
   */
  protected noteWaiting(waiting: number): boolean {
    if (!this.isHolding) this.#wasStreamEmpty = waiting === 0
    return this.#wasStreamEmpty
  }

  /** Whether a message need not wait for others: it is the first of its turn, as far as we can tell. Notes that there was one. */
  protected isFirstOfTurn(): boolean {
    if (this.isHolding) return false
    const { socket, received, shared } = this.owner
    if (isReading(socket)) {
      // As a rule one read brings one message, and has one answer: nobody has to hear of the turn's end.
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
   * It leaves at the end of the turn, with the others. By then the app may have written something else into the memory
   * that it gave us, so that only a copy of it is held back. What is too long for that leaves at once, behind the others.
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

  /** So many bytes more are held back. */
  protected noteHeld(bytes: number): void {
    this.#heldBytes += bytes
    if (this.#heldBytes > MOST_HELD) this.flush()
  }

  /** What we have framed ourselves comes before anything that ws writes. */
  protected handOverFrames(): void {
    if (this.#socket !== undefined) this.owner.shared.frames.handOver(this.#socket)
  }

  protected noteSent(): void {
    const { owner } = this
    owner.sent++
    owner.sentAt = owner.shared.sweep.forgivingAtTick
  }

  /** A small copy is a piece of a pool of node's: if it waited for the peer, it would keep all of that. */
  #mayCopy(bytes: Uint8Array): boolean {
    return this.#wasStreamEmpty && bytes.length <= MOST_COPIED
  }

  /** @returns how many bytes of this message are among the frames now; if none, it takes ws to send it */
  #frame(payload: Payload, options: SendOptions, done: SendCallback | undefined): number {
    const { shared } = this.owner
    if (this.#socket === undefined || !this.#mayFrame(payload, options, done, MOST_COPIED)) return 0
    const framed = shared.frames.add(this.#socket, payload, isBinary(payload, options))
    if (framed > 0) this.noteSent()
    return framed
  }

  /** Whether we may frame it in the place of ws: it is a frame of its own, that ws would write at once, and short. */
  #mayFrame(
    payload: Payload,
    options: SendOptions,
    done: SendCallback | undefined,
    mostBytes: number,
  ): payload is string | Uint8Array {
    if (done !== undefined) return false
    if (!(typeof payload === 'string' || payload instanceof Uint8Array)) return false
    if (payload.length > mostBytes) return false
    // What comes after an end that the app has given to the stream itself is an error, as in ws.
    if (this.owner.raw.writableEnded) return false
    // A small copy is a piece of a pool of node's: if it waited for the peer, it would keep all of that.
    if (!this.#wasStreamEmpty || this.compresses) return false
    if (isMasked(options)) return false
    if (isFragment(options) || !isBetweenMessages(this.owner.socket)) return false
    // A tool is to see each message.
    return isSendOwn(this.owner.socket)
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
      // It is no error of the message that is sent now, nor must it keep an end from going on.
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

/** What nobody else can write into. */
export function toOwn(payload: Payload): Payload {
  return payload instanceof Uint8Array ? Buffer.from(payload) : payload
}
