/**
 * ws's framing of what is sent (`_sender`), and its queue: ws keeps them private, and nothing public tells the same. They are
 * read here and nowhere else, and pinned by test/platform/internals.test.ts: if something moves, that test fails, and the
 * code below answers as if nothing were known.
 */
import { WebSocket } from 'ws'
import { FIRST_CONTROL_OPCODE } from '../core/frame.js'
import { nextTick } from './real-time.js'

interface Sending {
  _sender?: Sender
}

/** The framing, as far as we read it; it compresses one message after the other. */
interface Sender {
  _socket?: { readonly destroyed: boolean }
  readonly _state?: number
  readonly _firstFragment?: boolean
  readonly _queue?: Array<readonly unknown[]>
  readonly send?: unknown
  readonly ping?: unknown
  readonly sendFrame?: unknown
}

/** What stands fourth in each entry of that queue. */
interface Queued {
  readonly opcode?: number
  readonly fin?: boolean
}

const { get: bufferedAmount } = Object.getOwnPropertyDescriptor(
  WebSocket.prototype,
  'bufferedAmount',
) as { get: (this: WebSocket) => number }

/**
 * `bufferedAmount` as ws has it, in bytes: what is with the raw stream, or still with ws, which compresses it. Our own sockets
 * add to theirs what we hold back.
 */
export function bufferedByWs(socket: WebSocket): number {
  return bufferedAmount.call(socket)
}

/**
 * Whether ws would begin a message with what is sent now, and write it at once: it is not within a
 * fragmented one, nor compressing, nor reading a `Blob`.
 */
export function isBetweenMessages(socket: WebSocket): boolean {
  const sender = (socket as Sending)._sender
  return sender?._state === 0 && sender._firstFragment === true
}

/** What does the work of `send` and `ping` beneath a socket; a tool may have changed it, for all or for this one. */
export function senderOf(
  socket: WebSocket,
): Pick<Sender, 'send' | 'ping' | 'sendFrame'> | undefined {
  return (socket as Sending)._sender
}

/** How many frames ws holds back because it compresses an earlier one. */
export function queuedFrames(socket: WebSocket): number {
  return (socket as Sending)._sender?._queue?.length ?? 0
}

/** Whether the frame with this payload waits in that queue. */
export function isQueued(socket: WebSocket, payload: Buffer): boolean {
  return (socket as Sending)._sender?._queue?.some((entry) => entry.includes(payload)) ?? false
}

/** Whether ws still has to read or compress something before it can write it. */
export function isPreparing(socket: WebSocket): boolean {
  return ((socket as Sending)._sender?._state ?? 0) !== 0
}

/** In the place of the stream of a sender that is out of use: ws writes nothing to a stream that is gone. */
const GONE = { destroyed: true }

/**
 * Drops all that ws has not read or compressed yet, so that the next frame leaves at once. Their callbacks get `error`;
 * the callback of the first one, which is on its way to the thread pool, or back, gets an error from ws.
 * @returns how many messages that were
 */
export function dropUnprepared(socket: WebSocket, error: Error): number {
  const internals = socket as Sending
  const sender = internals._sender
  if (!isPreparing(socket) || sender?._queue === undefined) return 0
  const Fresh = sender.constructor as new (stream: unknown) => Sender
  internals._sender = new Fresh(sender._socket)
  sender._socket = GONE
  let messages = 1
  for (const { 3: options, 4: done } of sender._queue.splice(0)) {
    const { fin, opcode = 0 } = options as Queued
    if (fin === true && opcode < FIRST_CONTROL_OPCODE) messages++
    if (typeof done === 'function') nextTick(done, error)
  }
  return messages
}
