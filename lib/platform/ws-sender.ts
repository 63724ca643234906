/**
 * ws's framing of sent messages (`_sender`), and its queue. ws keeps them private, and nothing public tells
 * the same. They are read here and nowhere else. test/platform/internals.test.ts pins them: if something
 * moves, that test fails, and the code below answers as if nothing were known.
 */
import { WebSocket } from 'ws'
import { FIRST_CONTROL_OPCODE } from '../core/frame.js'
import { nextTick } from './real-time.js'

interface Sending {
  _sender?: Sender
}

/** The fields of the framing that we use. It compresses one message after the other. */
interface Sender {
  _socket?: { readonly destroyed: boolean }
  readonly _state?: number
  readonly _firstFragment?: boolean
  readonly _queue?: Array<readonly unknown[]>
  readonly send?: unknown
  readonly ping?: unknown
  readonly sendFrame?: unknown
}

/** The fourth element of each entry in that queue. */
interface Queued {
  readonly opcode?: number
  readonly fin?: boolean
}

const { get: bufferedAmount } = Object.getOwnPropertyDescriptor(
  WebSocket.prototype,
  'bufferedAmount',
) as { get: (this: WebSocket) => number }

/**
 * ws's own `bufferedAmount`: the number of bytes that wait in the raw stream, or in ws to be compressed. The
 * `bufferedAmount` of our sockets also counts messages that we hold back.
 */
export function bufferedByWs(socket: WebSocket): number {
  return bufferedAmount.call(socket)
}

/**
 * Whether ws would begin a new message now and write it at once: it is not within a fragmented message, and
 * neither compresses nor reads a `Blob`.
 */
export function isBetweenMessages(socket: WebSocket): boolean {
  const sender = (socket as Sending)._sender
  return sender?._state === 0 && sender._firstFragment === true
}

/**
 * The object that does the work of `send` and `ping`. A tool may have changed it, for all sockets or for this
 * one.
 */
export function senderOf(
  socket: WebSocket,
): Pick<Sender, 'send' | 'ping' | 'sendFrame'> | undefined {
  return (socket as Sending)._sender
}

/** Number of frames that ws holds back because it is compressing an earlier one. */
export function queuedFrames(socket: WebSocket): number {
  return (socket as Sending)._sender?._queue?.length ?? 0
}

/** Whether the frame with this payload waits in ws's queue. */
export function isQueued(socket: WebSocket, payload: Buffer): boolean {
  return (socket as Sending)._sender?._queue?.some((entry) => entry.includes(payload)) ?? false
}

/** Whether ws still has to read or compress something before it can write it. */
export function isPreparing(socket: WebSocket): boolean {
  return ((socket as Sending)._sender?._state ?? 0) !== 0
}

/**
 * Replaces the stream of a sender that is no longer used. ws writes nothing to a stream that is destroyed.
 */
const GONE = { destroyed: true }

/**
 * Drops all messages that ws has not read or compressed yet, so that the next frame leaves at once. Their
 * callbacks get `error`. Only the first message is already on its way to the thread pool, or back: its
 * callback gets an error from ws.
 * @returns the number of messages dropped
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
