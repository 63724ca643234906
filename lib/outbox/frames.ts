import type { Socket } from 'node:net'
import { ROOM_TO_HOLD } from '../core/budgets.js'
import { FIN, LENGTH_FOLLOWS, LONG_HEADER, OPCODE, SHORT_HEADER } from '../core/frame.js'
import { throwLater } from '../platform/throw-later.js'

/** The first byte of the only frame of a message. */
const WHOLE_TEXT = FIN | OPCODE.text
const WHOLE_BINARY = FIN | OPCODE.binary

/**
 * Small messages of a connection, framed one behind the other: together they are one write to its stream,
 * where ws makes two of each. All connections of a server share the room. Whoever needs it has it to
 * itself: what is there of another is handed to that one's stream.
 */
export class Frames {
  readonly #bytes = Buffer.allocUnsafeSlow(ROOM_TO_HOLD)
  #length = 0
  /** Whose frames are there. */
  #socket: Socket | undefined

  /** How many bytes are there of a connection. */
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

  /** Hands what is there of a connection to its stream. */
  handOver(socket: Socket): void {
    if (this.#socket === socket) this.#empty(socket)
  }

  #begin(socket: Socket): void {
    try {
      if (this.#socket !== undefined) this.#empty(this.#socket)
    } catch (error) {
      // It is an error of the other one's stream: who sends now has nothing to do with it.
      throwLater(error)
    }
    this.#socket = socket
  }

  #empty(socket: Socket): void {
    const frames = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    this.#socket = undefined
    // Where an app has ended the stream itself, a write would turn that end into an error.
    if (socket.writable) socket.write(frames)
  }
}

/** A message as a frame of its own. */
export function frameOf(data: string | Uint8Array, isBinary: boolean | undefined): Buffer {
  const length = bytesOf(data)
  const frame = Buffer.allocUnsafe(headerOf(length) + length)
  const written = writeFrame(frame, 0, data, length, isBinary)
  return written === frame.length ? frame : frame.subarray(0, written)
}

function bytesOf(data: string | Uint8Array): number {
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length
}

function headerOf(length: number): number {
  return length < LENGTH_FOLLOWS ? SHORT_HEADER : LONG_HEADER
}

/** @returns how many bytes it has */
function writeFrame(
  bytes: Buffer,
  start: number,
  data: string | Uint8Array,
  length: number,
  isBinary: boolean | undefined,
): number {
  const header = headerOf(length)
  // What was written is what counts: behind it are bytes of others.
  let written = length
  if (typeof data === 'string') written = bytes.write(data, start + header)
  else bytes.set(data, start + header)
  bytes[start] = isBinary ? WHOLE_BINARY : WHOLE_TEXT
  if (header === SHORT_HEADER) {
    bytes[start + 1] = written
  } else {
    bytes[start + 1] = LENGTH_FOLLOWS
    bytes.writeUInt16BE(written, start + 2)
  }
  return header + written
}
