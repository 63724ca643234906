import { FIN, LENGTH_FOLLOWS, LONG_LENGTH, LONG_LENGTH_FOLLOWS } from '../core/frame.js'

/** The types of frames (RFC 6455 §11.8). */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A bit of the second byte: the payload is masked. */
const MASKED = 0x80
/** Masks are unpredictable where a page may choose what is sent (RFC 6455 §10.3). A test may. */
const MASK = Buffer.from([1, 2, 3, 4])

export interface Frame {
  readonly isLast: boolean
  readonly opcode: number
  readonly payload: Buffer
}

/** A frame of a client, the only one of its message. */
export function frameOf(opcode: number, payload: Uint8Array | string = ''): Buffer {
  return bytesOf(FIN | opcode, payload)
}

/** A close frame of a client. Without a code it is empty. */
export function closeFrame(code?: number, reason = ''): Buffer {
  if (code === undefined) return frameOf(OPCODE.close)
  const head = Buffer.from([code >> 8, code & 0xff])
  return frameOf(OPCODE.close, Buffer.concat([head, Buffer.from(reason)]))
}

/** A frame with any first byte, right or wrong. */
export function bytesOf(first: number, payload: Uint8Array | string, isMasked = true): Buffer {
  const data = Buffer.from(payload as string)
  const head = headOf(first, data.length, isMasked ? MASKED : 0)
  if (!isMasked) return Buffer.concat([head, data])
  for (let i = 0; i < data.length; i++) data[i] = Number(data[i]) ^ Number(MASK[i % MASK.length])
  return Buffer.concat([head, MASK, data])
}

function headOf(first: number, length: number, masked: number): Buffer {
  if (length < LENGTH_FOLLOWS) return Buffer.from([first, masked | length])
  const isLong = length >= LONG_LENGTH
  const head = Buffer.alloc(isLong ? 10 : 4)
  head[0] = first
  head[1] = masked | (isLong ? LONG_LENGTH_FOLLOWS : LENGTH_FOLLOWS)
  if (isLong) head.writeBigUInt64BE(BigInt(length), 2)
  else head.writeUInt16BE(length, 2)
  return head
}

/** Reads the frames of a server. It checks nothing. */
export class FrameReader {
  /** What has come of the next frame. */
  #chunks: Buffer[] = []
  #held = 0
  /** Nothing can be read of less: a large frame is put together once, and not for each of its packets. */
  #wanted = 2

  /** @returns the frames that are whole now */
  read(data: Buffer): Frame[] {
    this.#chunks.push(data)
    this.#held += data.length
    if (this.#held < this.#wanted) return []
    const frames: Frame[] = []
    let rest = Buffer.concat(this.#chunks)
    for (;;) {
      const { head, size } = measure(rest)
      this.#wanted = size
      if (rest.length < size) break
      const first = Number(rest[0])
      const payload = rest.subarray(head, size)
      frames.push({ isLast: (first & FIN) !== 0, opcode: first & 0x0f, payload })
      rest = rest.subarray(size)
    }
    this.#chunks = [rest]
    this.#held = rest.length
    return frames
  }
}

/** How long the head of a frame is, and all of it, as far as the bytes that are there say it. */
function measure(bytes: Buffer): { head: number; size: number } {
  const short = (bytes[1] ?? 0) & 0x7f
  const head = short === LENGTH_FOLLOWS ? 4 : short === LONG_LENGTH_FOLLOWS ? 10 : 2
  if (bytes.length < head) return { head, size: head }
  if (head === 2) return { head, size: head + short }
  return {
    head,
    size: head + Number(head === 4 ? bytes.readUInt16BE(2) : bytes.readBigUInt64BE(2)),
  }
}
