import { Socket } from 'node:net'
import { KERNEL_ROOM } from '../core/budgets.js'
import type { OutboxAge, OutboxPolicy } from '../core/messages/outbox-age.js'
import { outboxFull } from '../errors.js'
import { bytesHeld, bytesTaken } from '../platform/node-internals.js'
import { nextTick } from '../platform/real-time.js'
import { bufferedByWs, queuedFrames } from '../platform/ws-sender.js'
import { afterNextPoll } from '../time/sweep.js'
import type { OutboxOwner } from './owner.js'
import { type SendCallback, tellTooLate } from './send-callbacks.js'

/** What `Backlog` needs of the outbox that it belongs to. */
export interface BacklogOutbox {
  /** Hands what is held back to the raw stream. */
  flush(): void
  /** There may be room again. */
  tellRoom(): void
}

/** What node keeps of a message that waits, in bytes, beside the message: its two writes, and who is told. */
const KEPT_FOR_A_WRITE = 448
/** The same of one that waits to be compressed. */
const KEPT_FOR_COMPRESSION = 1_152
/** What is counted of either where a single turn of the loop sends them: they are gone soon. */
const LEAST_OF_A_MESSAGE = 256

/** So many messages are not worth to be weighed. */
export const FEW_MESSAGES = 256

/**
 * What waits to be written, once that is more than the mark, or cannot leave at once: whether it is too much, whether
 * the peer has stopped to take it, and what happens then. Made when it is first needed.
 */
export class Backlog {
  readonly #owner: OutboxOwner
  readonly #policy: OutboxPolicy
  /** `undefined` where nothing may grow too old, or where node does not tell what the kernel takes. */
  readonly #age: OutboxAge | undefined
  readonly #outbox: BacklogOutbox
  /** Called, in a later tick, when a message has been written that was sent above the mark. */
  readonly #written: () => void
  /** Messages that will tell when they have been written. */
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

  /** Whether the peer has taken nothing of it for too long. */
  get isStuck(): boolean {
    return this.#isStuck
  }

  /** Whether what waits, and what node keeps for it, leaves room for more. */
  isBelowMark(): boolean {
    const { socket } = this.#owner
    const { highWaterMark } = this.#policy
    if (socket.bufferedAmount > highWaterMark) this.#outbox.flush()
    const kept = this.#keptForMessages(queuedFrames(socket))
    return !this.#isStuck && socket.bufferedAmount + kept <= highWaterMark
  }

  /** Whether there is no room for a message of so many bytes. */
  isFull(bytes: number): boolean {
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

  /**
   * There is no room for a message, or a control frame: it is dropped, or the connection ends.
   * @param isDroppable whether it is a whole message: a part of one cannot be left out
   * @returns `false`: nothing was queued
   */
  refuse(done: SendCallback | undefined, isDroppable = true): false {
    const owner = this.#owner
    if (this.#policy.overflow === 'drop' && isDroppable) {
      owner.shared.facts.messagesDropped(1)
      if (done) nextTick(done, outboxFull('the message was dropped'))
      return false
    }
    if (this.#isPeersFault) owner.end('slow-consumer')
    else owner.fail(outboxFull('one turn of the event loop has sent more than can leave'), 'send')
    return tellTooLate(owner, done)
  }

  /** A callback that tells us too when its message has been written; mostly the same for all. */
  whenWritten(done: SendCallback | undefined): SendCallback {
    const written = this.#written
    if (done === undefined) return written
    return (error) => {
      done(error)
      written()
    }
  }

  /** A message was given to ws with what {@link whenWritten} has returned. */
  messageAdded(): void {
    this.#unwritten++
  }

  /** Looks whether the peer takes what waits for it. */
  judge(forgivingNow: number): void {
    const isStuck = this.#looksStuck(forgivingNow)
    // What the peer took while our loop stood still shows after the next poll.
    if (isStuck && !this.#isStuck) afterNextPoll(() => this.#condemn())
    else this.#isStuck = isStuck
  }

  #condemn(): void {
    const owner = this.#owner
    this.#isStuck = this.#looksStuck(owner.shared.sweep.forgivingNow)
    if (this.#isStuck && this.#policy.overflow === 'close') owner.end('slow-consumer')
  }

  #looksStuck(forgivingNow: number): boolean {
    const { raw } = this.#owner
    const taken = bytesTaken(raw)
    if (this.#age === undefined || taken === undefined) return false
    return this.#age.look(forgivingNow, taken, raw.writableLength > 0 || bytesHeld(raw) > 0)
  }

  /** Whether it is the peer that does not take more: else what waits is on its way within our process. */
  get #isPeersFault(): boolean {
    const { raw } = this.#owner
    return this.#isStuck || !(raw instanceof Socket) || bytesHeld(raw) > 0
  }

  /** What node keeps of the messages that wait, beside their bytes. */
  #keptForMessages(queued: number): number {
    const written = Math.max(0, this.#unwritten - queued)
    return weigh(written, KEPT_FOR_A_WRITE) + weigh(queued, KEPT_FOR_COMPRESSION)
  }
}

/** What node keeps of so many messages; of a few it does not matter. */
function weigh(messages: number, kept: number): number {
  return Math.max(0, messages - FEW_MESSAGES) * kept
}
