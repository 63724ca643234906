import type { Socket } from 'node:net'
import { ROOM_TO_HOLD } from '../core/budgets.js'
import {
  FIN,
  LENGTH_FOLLOWS,
  LONG_HEADER,
  LONG_LENGTH,
  LONG_LENGTH_FOLLOWS,
  LONGEST_HEADER,
  OPCODE,
  RSV1,
  SHORT_HEADER,
} from '../core/frame.js'
import { throwLater } from '../platform/throw-later.js'

/** The first byte of a message that is one frame. */
const WHOLE_TEXT = FIN | OPCODE.text
const WHOLE_BINARY = FIN | OPCODE.binary

/**
 * The frames of small messages of a connection, one after the other in one buffer. Together they are one
 * write to the stream, where ws makes two for each message. All connections of a server share the buffer, one
 * at a time: if another connection needs it, the frames in it are first handed to the stream of their own
 * connection.
 */
export class Frames {
  readonly #bytes = Buffer.allocUnsafeSlow(ROOM_TO_HOLD)
  #length = 0
  /** The stream of the connection whose frames are in the buffer. */
  #socket: Socket | undefined

  /** Number of bytes of this connection in the buffer. */
  bytesOf(socket: Socket): number {
    return this.#socket === socket ? this.#length : 0
  }

  /** @returns how many bytes were added; 0 if there is no room for the message */
  add(socket: Socket, data: string | Uint8Array, isBinary: boolean | undefined): number {
    const length = bytesOf(data)
    const start = this.bytesOf(socket)
    if (start + headerOf(length) + length > ROOM_TO_HOLD) return 0
    if (this.#socket !== socket) this.#begin(socket)
    const added = writeFrame(this.#bytes, start, data, length, isBinary)
    this.#length = start + added
    return added
  }

  /** Hands the frames of this connection to its stream. */
  handOver(socket: Socket): void {
    if (this.#socket === socket) this.#empty(socket)
  }

  #begin(socket: Socket): void {
    try {
      if (this.#socket !== undefined) this.#empty(this.#socket)
    } catch (error) {
      // The error is one of the other connection's stream. The connection that sends now has nothing to do
      // with it.
      throwLater(error)
    }
    this.#socket = socket
  }

  #empty(socket: Socket): void {
    const frames = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    this.#socket = undefined
    // If the app has ended the stream itself, a write would turn that end into an error.
    if (socket.writable) socket.write(frames)
  }
}

/** Makes a buffer with a message as one frame. */
export function frameOf(data: string | Uint8Array, isBinary: boolean | undefined): Buffer {
  const length = bytesOf(data)
  const frame = Buffer.allocUnsafe(headerOf(length) + length)
  const written = writeFrame(frame, 0, data, length, isBinary)
  return written === frame.length ? frame : frame.subarray(0, written)
}

/** Makes a buffer with a message of any length as one frame. It keeps no other memory, for however long it waits. */
export function wholeFrame(bytes: Uint8Array, isBinary: boolean, isCompressed: boolean): Buffer {
  const { length } = bytes
  const header = length < LONG_LENGTH ? headerOf(length) : LONGEST_HEADER
  const frame = Buffer.allocUnsafeSlow(header + length)
  const first = isBinary ? WHOLE_BINARY : WHOLE_TEXT
  writeHeader(frame, 0, isCompressed ? first | RSV1 : first, header, length)
  frame.set(bytes, header)
  return frame
}

function bytesOf(data: string | Uint8Array): number {
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length
}

function headerOf(length: number): number {
  return length < LENGTH_FOLLOWS ? SHORT_HEADER : LONG_HEADER
}

/** @returns the number of bytes of the frame */
function writeFrame(
  bytes: Buffer,
  start: number,
  data: string | Uint8Array,
  length: number,
  isBinary: boolean | undefined,
): number {
  const header = headerOf(length)
  // The number of bytes that were really written counts: after them are bytes of others.
  let written = length
  if (typeof data === 'string') written = bytes.write(data, start + header)
  else bytes.set(data, start + header)
  writeHeader(bytes, start, isBinary ? WHOLE_BINARY : WHOLE_TEXT, header, written)
  return header + written
}

/** @param header the number of its bytes, which says how the length is written */
function writeHeader(
  bytes: Buffer,
  start: number,
  first: number,
  header: number,
  length: number,
): void {
  bytes[start] = first
  if (header === SHORT_HEADER) {
    bytes[start + 1] = length
  } else if (header === LONG_HEADER) {
    bytes[start + 1] = LENGTH_FOLLOWS
    bytes.writeUInt16BE(length, start + 2)
  } else {
    bytes[start + 1] = LONG_LENGTH_FOLLOWS
    bytes.writeBigUInt64BE(BigInt(length), start + 2)
  }
}
