/**
 * What ws, node and @fastify/cookie keep private, and nothing public tells. Each is read here and nowhere else, and
 * pinned by test/platform/internals.test.ts: if one of them moves, that test fails, and the code below
 * answers as if nothing were known.
 */
import type { ServerResponse } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { WebSocket, WebSocketServer } from 'ws'
import { withoutRead } from './payload.js'
import { nextTick } from './real-time.js'

export type Written = (error?: Error | null) => void
export type Write = (chunk: unknown, encoding: BufferEncoding, done: Written) => void
type Inflated = (error: Error) => void

/** Who has to be asked before ws parses a read, and calls whoever listens. */
export interface Parser {
  parse(write: Write, receiver: Receiver, ...args: Parameters<Write>): void
}

/** Opcodes from here on are of control frames (RFC 6455 §5.2). */
const FIRST_CONTROL_OPCODE = 8

const kParser: unique symbol = Symbol('fastify-websocket-lifecycle.parser')

/** ws's parser of what the peer sent. */
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

interface WsInternals {
  readonly _closeFrameReceived?: boolean
  readonly _receiver?: Receiver | null
  readonly _extensions?: Extensions
  _closeTimeout?: number
  _sender?: Sender
}

/** ws's framing of what is sent; it compresses one message after the other. */
interface Sender {
  _socket?: { readonly destroyed: boolean }
  readonly _state?: number
  readonly _firstFragment?: boolean
  readonly _queue?: Array<readonly unknown[]>
  readonly send?: unknown
  readonly ping?: unknown
  readonly sendFrame?: unknown
}

/** What stands in that queue fourth. */
interface Queued {
  readonly opcode?: number
  readonly fin?: boolean
}

interface HandingOn {
  readonly setSocket?: unknown
  readonly completeUpgrade?: unknown
}

interface Transport {
  readonly bytesWritten: number
  readonly writeQueueSize: number
}

interface NodeInternals {
  readonly _httpMessage?: ServerResponse | null
  readonly _handle?: (Partial<Transport> & { readonly _parent?: Partial<Transport> }) | null
}

/** ws answers a close frame by calling `close()` itself: this tells that call from the app's. */
export function isCloseFrameReceived(socket: WebSocket): boolean {
  return (socket as WsInternals)._closeFrameReceived === true
}

/** Has ws itself end a socket whose peer does not answer its close frame, after so many ms. */
export function closeWithin(socket: WebSocket, delay: number): void {
  ;(socket as WsInternals)._closeTimeout = delay
}

/** Whether received bytes are not parsed yet: a close frame may stand among them. */
export function isParsing(socket: WebSocket): boolean {
  return ((socket as WsInternals)._receiver?.writableLength ?? 0) > 0
}

/** Nothing to parse: it stands behind what has been received by then. */
const MARK = Buffer.alloc(0)

/** Resolves when all is parsed that has been received by now. @returns what to await, if there is something */
export function whenParsed(socket: WebSocket): Promise<void> | undefined {
  const receiver = (socket as WsInternals)._receiver
  // node refuses what is written after a FIN or an error.
  if (!receiver?.writable || !isParsing(socket)) return undefined
  return new Promise((resolve) => void receiver.write(MARK, () => resolve()))
}

/**
 * Keeps an error of the peer's from ending the process. While ws inflates a message, node queues what comes behind it.
 * If a frame of that queue fails, node hands ws the next one all the same, and ws reads a mask that is not there.
 */
export function guardReceiver(socket: Parser & WebSocket): void {
  const receiver = (socket as WsInternals)._receiver
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
 * Ends a socket whose stream is gone, although ws still inflates what came before: that may take any time, as all
 * connections share node's thread pool. ws emits `'close'` now, and nothing that it does later reaches anybody.
 */
export function abandonReceiver(socket: WebSocket): void {
  const { _receiver: receiver, _extensions } = socket as WsInternals
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
  return (socket as WsInternals)._receiver?._writableState?.errorEmitted === true
}

/** ws hands over the parts of binary messages, although `binaryType` says that it is to make a Blob of them. */
export function keepParts(socket: WebSocket): void {
  const { _receiver: receiver } = socket as WsInternals
  if (receiver) receiver._binaryType = 'fragments'
}

/** States in which ws has read the length of a frame, and not all of the frame. */
const WITHIN_FRAME = { mask: 3, payload: 4 } as const

/** How many bytes have come of a message that is not whole yet; pings and pongs between its fragments are none of it. */
export function bytesArriving(socket: WebSocket): number {
  const { _receiver: receiver } = socket as WsInternals
  const { _state: state, _opcode: opcode = 0, _bufferedBytes: buffered = 0 } = receiver ?? {}
  const { _payloadLength: ofFrame = 0, _totalPayloadLength: ofMessage = 0 } = receiver ?? {}
  if (opcode >= FIRST_CONTROL_OPCODE) return ofMessage
  if (state === WITHIN_FRAME.payload) return ofMessage - ofFrame + buffered
  return state === WITHIN_FRAME.mask ? ofMessage - ofFrame : ofMessage
}

/** Whether ws is handing over what one read of the socket brought: we are called from within that. */
export function isReading(socket: WebSocket): boolean {
  return (socket as WsInternals)._receiver?._loop === true
}

/** Whether there is more of what that read brought. */
export function hasMoreRead(socket: WebSocket): boolean {
  return ((socket as WsInternals)._receiver?._bufferedBytes ?? 0) > 0
}

/**
 * Whether ws would begin a message with what is sent now, and write it at once: it is not within a
 * fragmented one, nor compressing, nor reading a `Blob`.
 */
export function isBetweenMessages(socket: WebSocket): boolean {
  const sender = (socket as WsInternals)._sender
  return sender?._state === 0 && sender._firstFragment === true
}

/** What does the work of `send` and `ping` beneath a socket; a tool may have changed it, for all or for this one. */
export function senderOf(
  socket: WebSocket,
): Pick<Sender, 'send' | 'ping' | 'sendFrame'> | undefined {
  return (socket as WsInternals)._sender
}

/** How many frames ws holds back because it compresses an earlier one. */
export function queuedFrames(socket: WebSocket): number {
  return (socket as WsInternals)._sender?._queue?.length ?? 0
}

/** Whether the frame with this payload waits in that queue. */
export function isQueued(socket: WebSocket, payload: Buffer): boolean {
  return (socket as WsInternals)._sender?._queue?.some((entry) => entry.includes(payload)) ?? false
}

/** Whether ws still has to read or compress something before it can write it. */
export function isPreparing(socket: WebSocket): boolean {
  return ((socket as WsInternals)._sender?._state ?? 0) !== 0
}

/** In the place of the stream of a sender that is out of use: ws writes nothing to a stream that is gone. */
const GONE = { destroyed: true }

/**
 * Lets go of all that ws has not read or compressed yet, so that the next frame leaves at once. Their callbacks get `error`;
 * that of the first one, which is on its way to the thread pool, or back, gets one from ws.
 * @returns how many messages that were
 */
export function dropUnprepared(socket: WebSocket, error: Error): number {
  const internals = socket as WsInternals
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

/**
 * Whether this ws is seen to know no limits for the pieces of a message: `setSocket` of a socket, and what calls
 * it in a server, name all limits that they hand on. Of code without a source nothing is known.
 */
export function ignoresPieces(part: WebSocket | WebSocketServer): boolean {
  const { setSocket, completeUpgrade } = part as HandingOn
  const source = String(setSocket ?? completeUpgrade)
  return source.includes('maxPayload') && !source.includes('maxFragments')
}

/** How many bytes libuv holds because the kernel takes no more. */
export function bytesHeld(raw: Duplex): number {
  return transportOf(raw)?.writeQueueSize ?? 0
}

/**
 * How many bytes the kernel took from us, `undefined` where node does not tell. `bytesWritten`
 * counts what was handed to libuv, of which it still holds some. Over TLS only those of the TCP
 * handle below move when the peer reads.
 *
 * @param held what `bytesHeld` says right now
 */
export function bytesTaken(raw: Duplex, held: number = bytesHeld(raw)): number | undefined {
  const transport = transportOf(raw)
  const written = transport?.bytesWritten
  if (transport === undefined || written === undefined || !('writeQueueSize' in transport))
    return undefined
  return written - held
}

/** Whether the response to a request of this socket is not written to its end yet. */
export function isResponding(raw: Duplex): boolean {
  return responseOf(raw) !== undefined
}

/** The response that is being written to this socket. */
export function responseOf(raw: Duplex): ServerResponse | undefined {
  return (raw as NodeInternals)._httpMessage ?? undefined
}

/**
 * Whether some `AsyncLocalStorage` has a store where `resource` was made; `nobodys` was made where none had. node keeps
 * each on the resource (Node 20), or all in one object (Node 24), under symbols.
 */
export function hasStore(resource: object, nobodys: object): boolean {
  return Object.getOwnPropertySymbols(resource).some((symbol) => {
    const value: unknown = Reflect.get(resource, symbol)
    const isKnown = Object.hasOwn(nobodys, symbol)
    return value !== undefined && !(isKnown && typeof value === 'number')
  })
}

/** A cookie as @fastify/cookie keeps it, until its onSend hook makes a header of all. */
interface Cookie {
  readonly name: string
  readonly value: string
  readonly opts: object
}

/** What @fastify/cookie decorates an instance with. */
interface CookieInstance {
  readonly serializeCookie?: (name: string, value: string, options: object) => string
}

/** What `reply.setCookie()` was given: a 101 has no onSend, whose hook would make headers of it. */
export function cookiesOf(reply: FastifyReply): string[] {
  const server: FastifyInstance & CookieInstance = reply.server
  const headers: string[] = []
  if (server.serializeCookie === undefined) return headers
  for (const symbol of Object.getOwnPropertySymbols(reply)) {
    // Each copy of it that is installed has a symbol of its own.
    if (symbol.description !== 'fastify.reply.setCookies') continue
    const cookies = Reflect.get(reply, symbol) as ReadonlyMap<string, Cookie> | null
    for (const { name, value, opts } of cookies?.values() ?? []) {
      headers.push(server.serializeCookie(name, value, opts))
    }
  }
  return headers
}

function transportOf(raw: Duplex): Partial<Transport> | undefined {
  const handle = (raw as NodeInternals)._handle ?? undefined
  return handle?._parent ?? handle
}
