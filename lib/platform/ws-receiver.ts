/**
 * ws's parser of received bytes (`_receiver`). ws keeps it private, and nothing public tells the same. It is
 * read here and nowhere else. test/platform/internals.test.ts pins it: if something moves, that test fails,
 * and the code below answers as if nothing were known.
 */
import type { Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { FIRST_CONTROL_OPCODE } from '../core/frame.js'
import { withoutRead } from './payload.js'
import { nextTick } from './real-time.js'

export type Written = (error?: Error | null) => void
export type Write = (chunk: unknown, encoding: BufferEncoding, done: Written) => void
type Inflated = (error: Error) => void

/** Is called for each read that ws is going to parse. It may choose the async context for that. */
export interface Parser {
  parse(write: Write, receiver: Receiver, ...args: Parameters<Write>): void
}

const kParser: unique symbol = Symbol('fastify-websocket-lifecycle.parser')

/** The fields of the parser that we use. */
export interface Receiver extends Writable {
  [kParser]?: Parser
  readonly _extensions?: Extensions
  readonly _errored?: boolean
  readonly _loop?: boolean
  readonly _bufferedBytes?: number
  readonly _state?: number
  readonly _opcode?: number
  _binaryType?: string
  readonly _writableState?: { readonly errorEmitted?: boolean }
  /** Length of the frame that is being read. */
  readonly _payloadLength?: number
  /** Length of all frames so far of the message that is being read. */
  readonly _totalPayloadLength?: number
  /** Parts of a message that is not complete yet. */
  readonly _fragments?: Uint8Array[]
  dataMessage?: (done: Written) => void
}

/** ws's permessage-deflate of one connection. */
interface Deflate {
  _inflate?: unknown
  _decompress?: (data: unknown, isLast: boolean, done: Inflated) => void
  readonly cleanup?: () => void
}

interface Extensions {
  readonly 'permessage-deflate'?: Deflate
}

interface Receiving {
  readonly _receiver?: Receiver | null
  readonly _extensions?: Extensions
}

/** Whether received bytes are not parsed yet. A close frame may be among them. */
export function isParsing(socket: WebSocket): boolean {
  return (receiverOf(socket)?.writableLength ?? 0) > 0
}

/** A chunk without bytes. In the parser's queue it comes after all bytes that have been received by then. */
const MARK = Buffer.alloc(0)

/**
 * Resolves when everything is parsed that has been received by now.
 * @returns what to await, if there is something
 */
export function whenParsed(socket: WebSocket): Promise<void> | undefined {
  const receiver = receiverOf(socket)
  // node refuses to write to a stream after a FIN or an error.
  if (!receiver?.writable || !isParsing(socket)) return undefined
  return new Promise((resolve) => void receiver.write(MARK, () => resolve()))
}

/**
 * Prevents an error of the peer from ending the process. While ws inflates a message, node queues the reads
 * after it. If one of these fails, node still gives ws the next one, and ws reads a mask that is not there.
 */
export function guardReceiver(socket: Parser & WebSocket): void {
  const receiver = receiverOf(socket)
  if (!receiver) return
  receiver[kParser] = socket
  receiver._write = guardedWrite
}

function guardedWrite(
  this: Receiver,
  chunk: unknown,
  encoding: BufferEncoding,
  done: Written,
): void {
  const parser = this[kParser]
  if (this._errored === true || parser === undefined || chunk === MARK) {
    done()
    return
  }
  parser.parse(writeOf(this), this, chunk, encoding, done)
  if (this._fragments !== undefined && this._fragments.length > 0) letGoOfReads(this._fragments)
}

/**
 * Copies small parts of a message that is not complete yet, so that they do not keep their reads. It stops at
 * the first part that needs no copy: the parts before it were looked at when they came.
 */
function letGoOfReads(parts: Uint8Array[]): void {
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i] as Uint8Array
    const copy = withoutRead(part)
    if (copy === part) return
    parts[i] = copy
  }
}

/** ws's own `_write`. */
function writeOf(receiver: Receiver): Write {
  const prototype = Object.getPrototypeOf(receiver) as { readonly _write: Write }
  return prototype._write
}

/**
 * Ends a socket whose stream is gone, while ws still inflates earlier messages. That may take any time,
 * because all connections share node's thread pool. ws emits `'close'` now, and nothing that it does later
 * has an effect.
 */
export function abandonReceiver(socket: WebSocket): void {
  const { _receiver: receiver, _extensions } = socket as Receiving
  const deflate = _extensions?.['permessage-deflate']
  const emitClose: unknown = Reflect.get(socket, 'emitClose')
  if (!receiver || !deflate || typeof emitClose !== 'function') return
  deflate._decompress = inflateNothing
  receiver.dataMessage = dropMessage
  // ws looks at this field when it has inflated something. So its clean-up must not find it earlier.
  const inflate = deflate._inflate
  deflate._inflate = undefined
  emitClose.call(socket)
  deflate._inflate = inflate
  receiver.destroy()
}

/**
 * Replaces the inflating of messages that wait for their turn. It calls back later and not at once: there may
 * be thousands, and each would be called within the one before.
 */
function inflateNothing(this: Deflate, _data: unknown, _isLast: boolean, done: Inflated): void {
  this.cleanup?.()
  nextTick(done, new Error('The connection is over'))
}

/** Replaces the handing over of the message that was being inflated. */
function dropMessage(this: Receiver): void {
  this._extensions?.['permessage-deflate']?.cleanup?.()
}

/**
 * Whether ws's parser has failed. The first thing that ws does then is to call `close()` itself. While the
 * socket is open, this tells that call from one of the app.
 */
export function hasParserFailed(socket: WebSocket): boolean {
  return receiverOf(socket)?._writableState?.errorEmitted === true
}

/** Makes ws hand over the parts of binary messages, even if `binaryType` asks for Blobs. */
export function keepParts(socket: WebSocket): void {
  const receiver = receiverOf(socket)
  if (receiver) receiver._binaryType = 'fragments'
}

/** The states in which ws has read the length of a frame, but not the whole frame. */
const WITHIN_FRAME = { mask: 3, payload: 4 } as const

/**
 * Number of bytes that have come of a message that is not complete yet. Pings and pongs between its fragments
 * do not count.
 */
export function bytesArriving(socket: WebSocket): number {
  const receiver = receiverOf(socket)
  const { _state: state, _opcode: opcode = 0, _bufferedBytes: buffered = 0 } = receiver ?? {}
  const { _payloadLength: ofFrame = 0, _totalPayloadLength: ofMessage = 0 } = receiver ?? {}
  if (opcode >= FIRST_CONTROL_OPCODE) return ofMessage
  if (state === WITHIN_FRAME.payload) return ofMessage - ofFrame + buffered
  return state === WITHIN_FRAME.mask ? ofMessage - ofFrame : ofMessage
}

/** Whether ws is now handing over the messages of one read, and we are called from within that. */
export function isReading(socket: WebSocket): boolean {
  return receiverOf(socket)?._loop === true
}

/** Whether the read that ws is handing over has more bytes. */
export function hasMoreRead(socket: WebSocket): boolean {
  return (receiverOf(socket)?._bufferedBytes ?? 0) > 0
}

function receiverOf(socket: WebSocket): Receiver | null | undefined {
  return (socket as Receiving)._receiver
}
