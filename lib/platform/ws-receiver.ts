/**
 * ws's parser of what the peer sent (`_receiver`): ws keeps it private, and nothing public tells the same. It is read here and
 * nowhere else, and pinned by test/platform/internals.test.ts: if something moves, that test fails, and the code below
 * answers as if nothing were known.
 */
import type { Writable } from 'node:stream'
import type { WebSocket } from 'ws'
import { FIRST_CONTROL_OPCODE } from '../core/frame.js'
import { withoutRead } from './payload.js'
import { nextTick } from './real-time.js'

export type Written = (error?: Error | null) => void
export type Write = (chunk: unknown, encoding: BufferEncoding, done: Written) => void
type Inflated = (error: Error) => void

/** Who is asked before ws parses a read. It may choose the async context of the parsing. */
export interface Parser {
  parse(write: Write, receiver: Receiver, ...args: Parameters<Write>): void
}

const kParser: unique symbol = Symbol('fastify-websocket-lifecycle.parser')

/** The parser, as far as we read it. */
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
  /** Of the frame that is being read. */
  readonly _payloadLength?: number
  /** Of all frames of the message that is being read. */
  readonly _totalPayloadLength?: number
  /** Parts of a message that is not whole yet. */
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

/** Whether received bytes are not parsed yet: a close frame may stand among them. */
export function isParsing(socket: WebSocket): boolean {
  return (receiverOf(socket)?.writableLength ?? 0) > 0
}

/** Nothing to parse: it stands behind what has been received by then. */
const MARK = Buffer.alloc(0)

/** Resolves when all is parsed that has been received by now. @returns what to await, if there is something */
export function whenParsed(socket: WebSocket): Promise<void> | undefined {
  const receiver = receiverOf(socket)
  // node refuses what is written after a FIN or an error.
  if (!receiver?.writable || !isParsing(socket)) return undefined
  return new Promise((resolve) => void receiver.write(MARK, () => resolve()))
}

/**
 * Keeps an error of the peer's from ending the process. While ws inflates a message, node queues what comes behind it.
 * If a frame of that queue fails, node hands ws the next one all the same, and ws reads a mask that is not there.
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

/** Parts of a message that is not whole yet: those before the first that needs no copy were looked at when they came. */
function letGoOfReads(parts: Uint8Array[]): void {
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i] as Uint8Array
    const copy = withoutRead(part)
    if (copy === part) return
    parts[i] = copy
  }
}

/** ws's own. */
function writeOf(receiver: Receiver): Write {
  const prototype = Object.getPrototypeOf(receiver) as { readonly _write: Write }
  return prototype._write
}

/**
 * Ends a socket whose stream is gone, although ws still inflates what came before. That may take any time, as all
 * connections share node's thread pool. ws emits `'close'` now, and nothing that it does later reaches anybody.
 */
export function abandonReceiver(socket: WebSocket): void {
  const { _receiver: receiver, _extensions } = socket as Receiving
  const deflate = _extensions?.['permessage-deflate']
  const emitClose: unknown = Reflect.get(socket, 'emitClose')
  if (!receiver || !deflate || typeof emitClose !== 'function') return
  deflate._decompress = inflateNothing
  receiver.dataMessage = dropMessage
  // ws looks at it when it has inflated something, so that its clean-up must not find it before.
  const inflate = deflate._inflate
  deflate._inflate = undefined
  emitClose.call(socket)
  deflate._inflate = inflate
  receiver.destroy()
}

/** In the place of what waits for its turn to be inflated. Not at once: there may be thousands, one within the other. */
function inflateNothing(this: Deflate, _data: unknown, _isLast: boolean, done: Inflated): void {
  this.cleanup?.()
  nextTick(done, new Error('The connection is over'))
}

/** In the place of handing over what was being inflated. */
function dropMessage(this: Receiver): void {
  this._extensions?.['permessage-deflate']?.cleanup?.()
}

/**
 * Whether ws's parser has told of an error. The first thing that ws then does is to call `close()` itself: this tells that call,
 * while the socket is open, from the app's.
 */
export function hasParserFailed(socket: WebSocket): boolean {
  return receiverOf(socket)?._writableState?.errorEmitted === true
}

/** ws hands over the parts of binary messages, although `binaryType` says that it is to make a Blob of them. */
export function keepParts(socket: WebSocket): void {
  const receiver = receiverOf(socket)
  if (receiver) receiver._binaryType = 'fragments'
}

/** States in which ws has read the length of a frame, and not all of the frame. */
const WITHIN_FRAME = { mask: 3, payload: 4 } as const

/** How many bytes have come of a message that is not whole yet; pings and pongs between its fragments are none of it. */
export function bytesArriving(socket: WebSocket): number {
  const receiver = receiverOf(socket)
  const { _state: state, _opcode: opcode = 0, _bufferedBytes: buffered = 0 } = receiver ?? {}
  const { _payloadLength: ofFrame = 0, _totalPayloadLength: ofMessage = 0 } = receiver ?? {}
  if (opcode >= FIRST_CONTROL_OPCODE) return ofMessage
  if (state === WITHIN_FRAME.payload) return ofMessage - ofFrame + buffered
  return state === WITHIN_FRAME.mask ? ofMessage - ofFrame : ofMessage
}

/** Whether ws is handing over what one read of the socket brought: we are called from within that. */
export function isReading(socket: WebSocket): boolean {
  return receiverOf(socket)?._loop === true
}

/** Whether there is more of what that read brought. */
export function hasMoreRead(socket: WebSocket): boolean {
  return (receiverOf(socket)?._bufferedBytes ?? 0) > 0
}

function receiverOf(socket: WebSocket): Receiver | null | undefined {
  return (socket as Receiving)._receiver
}
