import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { KERNEL_ROOM, LONGEST_LOOK, MOST_HELD } from '../core/budgets.js'
import type { OutboxAge, OutboxPolicy } from '../core/messages/outbox-age.js'
import { outboxFull } from '../errors.js'
import { bytesHeld, bytesTaken } from '../platform/node-internals.js'
import { bufferedByWs, queuedFrames } from '../platform/ws-sender.js'
import { afterNextPoll } from '../time/sweep.js'
import type { OutboxOwner } from './owner.js'
import type { Level } from './room.js'
import { type SendCallback, tellDropped, tellTooLate } from './send-callbacks.js'

/** What `Backlog` needs of the outbox that it belongs to. */
export interface BacklogOutbox {
  /** Hands messages that are held back to the raw stream. */
  flush(): void
  /** There may be room for new messages again. */
  tellRoom(): void
}

/**
 * How many bytes node keeps for a message that waits, beside the message: for its two writes, and for the
 * callback.
 */
const KEPT_FOR_A_WRITE = 448
/** The same for a message that waits to be compressed. */
const KEPT_FOR_COMPRESSION = 1_152
/** How many bytes are counted for either where one turn of the loop sends them all: they are gone soon. */
const LEAST_OF_A_MESSAGE = 256

/** For so many messages these bytes are not counted. */
export const FEW_MESSAGES = 256

/**
 * Watches the bytes that wait to be written, once there are more than `highWaterMark`, or some that cannot
 * leave at once. It decides whether they are too many and whether the peer has stopped taking them, and does
 * what follows. Made when it is first needed.
 */
export class Backlog implements Level {
  readonly #owner: OutboxOwner
  readonly #policy: OutboxPolicy
  /** `undefined` if there is no `maxAge`, or if node does not tell what the kernel takes. */
  readonly #age: OutboxAge | undefined
  readonly #outbox: BacklogOutbox
  /** Called in a later tick, when a message that was sent above the mark has been written. */
  readonly #written: () => void
  /** Number of messages whose callback has not been called yet. */
  #unwritten = 0
  #isStuck = false

  constructor(
    owner: OutboxOwner,
    policy: OutboxPolicy,
    age: OutboxAge | undefined,
    outbox: BacklogOutbox,
  ) {
    this.#owner = owner
    this.#policy = policy
    this.#age = age
    this.#outbox = outbox
    this.#written = () => {
      this.#unwritten--
      outbox.tellRoom()
    }
  }

  /** Whether the peer has taken nothing for too long. */
  get isStuck(): boolean {
    return this.#isStuck
  }

  /** ws still says OPEN for a moment when there is no stream to write to any more. */
  get isAlive(): boolean {
    return this.#owner.isOpen && !this.#owner.raw.destroyed
  }

  awaited(): void {
    const { shared } = this.#owner
    // If a control frame of ours went over the mark, no callback tells when there is room. So a look has to.
    this.#owner.lookBy(shared.clock.now() + LONGEST_LOOK)
  }

  /** Whether the bytes that wait, and those that node keeps for them, are below the mark. */
  isBelowMark(): boolean {
    const { socket } = this.#owner
    const { highWaterMark } = this.#policy
    if (socket.bufferedAmount > highWaterMark) this.#outbox.flush()
    const kept = this.#keptForMessages(queuedFrames(socket))
    return !this.#isStuck && socket.bufferedAmount + kept <= highWaterMark
  }

  /**
   * Whether there is no room for a message of so many bytes.
   * @param owed number of messages that will come before it, of so many bytes
   */
  isFull(bytes: number, owed = 0, owedBytes = 0): boolean {
    if (this.#isStuck) return true
    const { socket, raw } = this.#owner
    const waiting = bufferedByWs(socket) + owedBytes + weigh(owed, KEPT_FOR_A_WRITE)
    // ws has a queue for messages that wait to be compressed, also for empty ones.
    const queued = queuedFrames(socket)
    // If nothing waits, a message of any size may leave.
    if (queued === 0 && (waiting === 0 || this.#waitsInName(waiting))) return false
    const { maxBytes, overflow } = this.#policy
    if (this.#isPeersFault) return waiting + bytes + this.#keptForMessages(queued) > maxBytes
    const atMost = maxBytes + KERNEL_ROOM
    const messages = Math.max(this.#unwritten, queued)
    if (waiting + bytes > atMost || messages * LEAST_OF_A_MESSAGE > atMost) return true
    // No kernel has seen messages that wait to be compressed, so we can drop them. To end the connection for
    // them would blame the peer.
    const toCompress = waiting - raw.writableLength
    if (overflow === 'close' || toCompress === 0) return false
    return toCompress + bytes + weigh(queued, KEPT_FOR_COMPRESSION) > maxBytes
  }

  /**
   * There is no room for a message or a control frame: it is dropped, or the connection ends.
   * @param isDroppable whether it is a whole message: a fragment cannot be left out
   * @returns `false`: nothing was queued
   */
  refuse(done: SendCallback | undefined, isDroppable = true): false {
    const owner = this.#owner
    const drops = this.#policy.overflow === 'drop' && isDroppable
    if (drops) return tellDropped(owner, done)
    if (this.#isPeersFault) owner.end('slow-consumer')
    else owner.fail(outboxFull('one turn of the event loop has sent more than can leave'), 'send')
    return tellTooLate(owner, done)
  }

  /**
   * A callback for a message that tells us too when the message was written. Usually it is the same one for
   * all messages.
   */
  whenWritten(done: SendCallback | undefined): SendCallback {
    const written = this.#written
    if (done === undefined) return written
    return (error) => {
      done(error)
      written()
    }
  }

  /** A message was given to ws with the callback of {@link whenWritten}. */
  messageAdded(): void {
    this.#unwritten++
  }

  /** Looks whether the peer still takes bytes. */
  judge(forgivingNow: number): void {
    const isStuck = this.#looksStuck(forgivingNow)
    // Bytes that the peer took while our loop stood still show after the next poll.
    if (isStuck && !this.#isStuck) afterNextPoll(() => this.#condemn())
    else this.#isStuck = isStuck
  }

  #condemn(): void {
    const owner = this.#owner
    const { facts, sweep } = owner.shared
    this.#isStuck = this.#looksStuck(sweep.forgivingNow)
    if (this.#isStuck) facts.outboxStuck(owner, bufferedByWs(owner.socket))
    if (this.#isStuck && this.#policy.overflow === 'close') owner.end('slow-consumer')
  }

  #looksStuck(forgivingNow: number): boolean {
    const { raw } = this.#owner
    const taken = bytesTaken(raw)
    if (this.#age === undefined || taken === undefined) return false
    return this.#age.look(forgivingNow, taken, raw.writableLength > 0 || bytesHeld(raw) > 0)
  }

  /**
   * Whether the peer takes no more bytes. If it does, the bytes that wait are still on their way within our
   * process.
   */
  get #isPeersFault(): boolean {
    const { raw } = this.#owner
    return this.#isStuck || !(raw instanceof Socket) || bytesHeld(raw) > 0
  }

  /**
   * Whether the few bytes that wait do so in name only. Over TLS node tells in a later turn that a write is
   * over, though the kernel has taken it at once. It may be the 101, or the small messages of this turn.
   */
  #waitsInName(waiting: number): boolean {
    const { raw } = this.#owner
    if (!(raw instanceof TLSSocket) || this.#isPeersFault) return false
    const few = Math.max(MOST_HELD, this.#policy.highWaterMark)
    return waiting <= few && waiting === raw.writableLength
  }

  /** How many bytes node keeps for the messages that wait, beside their own. */
  #keptForMessages(queued: number): number {
    const written = Math.max(0, this.#unwritten - queued)
    return weigh(written, KEPT_FOR_A_WRITE) + weigh(queued, KEPT_FOR_COMPRESSION)
  }
}

/** How many bytes node keeps for so many messages. For a few it does not matter. */
export function weigh(messages: number, kept: number): number {
  return Math.max(0, messages - FEW_MESSAGES) * kept
}
