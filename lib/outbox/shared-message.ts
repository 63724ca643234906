import type { WebSocket } from 'ws'
import { type Payload, sizeOf, toPayload } from '../platform/payload.js'
import { compressedAlone, compressedLater, thresholdOf } from '../platform/ws-deflate.js'
import { wholeFrame } from './frames.js'
import { marked } from './marked.js'

/** A longer message is compressed by the thread pool: it would keep the loop from turning for too long. */
const MOST_AT_ONCE = 32 * 1024

/** What may be said of a message to many. */
export interface SharedOptions {
  readonly binary?: boolean | undefined
  readonly compress?: boolean | undefined
}

/**
 * A message to many. It has memory of its own, one frame for all who take it as it is, and one more for each
 * window size by which it is compressed.
 */
export class SharedMessage {
  readonly bytes: number
  readonly options: { readonly binary: boolean; readonly compress: boolean }
  /** The frame for all. A Blob has none: ws reads it later, for each connection. */
  readonly #frame: Buffer | Exclude<Payload, string | Uint8Array>
  #packed: PackedFrames | undefined
  #forLink: SharedMessage | undefined

  /** @throws TypeError if it cannot be sent to all */
  constructor(data: unknown, { binary, compress = true }: SharedOptions) {
    const payload = toPayload(data)
    this.bytes = sizeOf(payload)
    this.options = { binary: binary ?? typeof payload !== 'string', compress }
    const content = typeof payload === 'string' ? Buffer.from(payload) : payload
    if (content instanceof Uint8Array) {
      this.#frame = wholeFrame(content, this.options.binary, false)
    } else {
      // The first letter of a text has to be at hand.
      marked(content, this.options)
      this.#frame = content
    }
  }

  /** Without a header, for ws. */
  get payload(): Payload {
    const frame = this.#frame
    return Buffer.isBuffer(frame) ? frame.subarray(frame.length - this.bytes) : frame
  }

  /** As it is sent to a client that speaks the link: a text that looks like a control frame is marked. */
  get forLink(): SharedMessage {
    if (this.options.binary) return this
    this.#forLink ??= this.#marked()
    return this.#forLink
  }

  /** A socket will want its frame. Begins to make it, if that takes long. */
  foresee(socket: WebSocket, windowBits: number): void {
    if (this.bytes <= MOST_AT_ONCE || !this.#isPackedFor(socket, windowBits)) return
    this.#packedFrames.make(socket, windowBits)
  }

  /** Whether the frame for this window size is being made. */
  isPreparing(windowBits: number): boolean {
    return this.#packed?.frames[windowBits] === null
  }

  /** Calls back when all frames are made that are being made now. */
  whenReady(made: () => void): void {
    if (this.#packed !== undefined) this.#packed.whenMade = made
    if (this.#forLink !== this) this.#forLink?.whenReady(made)
  }

  /** The frame for a socket whose messages are not compressed, or each by itself; `undefined` if ws has to make one. */
  frameFor(socket: WebSocket, windowBits: number): Buffer | undefined {
    const frame = this.#frame
    if (!Buffer.isBuffer(frame)) return undefined
    if (!this.#isPackedFor(socket, windowBits)) return frame
    const known = this.#packed?.frames[windowBits]
    if (known !== undefined || this.bytes > MOST_AT_ONCE) return known ?? undefined
    return this.#packedFrames.makeAtOnce(socket, windowBits)
  }

  /** As ws decides it where each message is compressed by itself. */
  #isPackedFor(socket: WebSocket, windowBits: number): boolean {
    if (windowBits === 0 || this.bytes === 0 || !this.options.compress) return false
    return Buffer.isBuffer(this.#frame) && this.bytes >= thresholdOf(socket)
  }

  get #packedFrames(): PackedFrames {
    return (this.#packed ??= new PackedFrames(this.payload as Uint8Array, this.options.binary))
  }

  #marked(): SharedMessage {
    const { options, payload } = this
    const text = marked(payload, options)
    return text === payload ? this : new SharedMessage(text, options)
  }
}

/** The compressed frames of a message to many. */
class PackedFrames {
  /** By window size; `null` while one is being made. */
  readonly frames: Array<Buffer | null | undefined> = []
  whenMade: (() => void) | undefined
  readonly #content: Uint8Array
  readonly #isBinary: boolean
  /** Number of frames that are being made. */
  #making = 0

  constructor(content: Uint8Array, isBinary: boolean) {
    this.#content = content
    this.#isBinary = isBinary
  }

  make(socket: WebSocket, windowBits: number): void {
    if (this.frames[windowBits] !== undefined) return
    this.frames[windowBits] = null
    this.#making++
    void compressedLater(socket, this.#content).then((packed) => {
      // Without one ws does it for each, and tells each of the error.
      this.frames[windowBits] = packed && wholeFrame(packed, this.#isBinary, true)
      if (--this.#making === 0) this.whenMade?.()
    })
  }

  makeAtOnce(socket: WebSocket, windowBits: number): Buffer {
    const frame = wholeFrame(compressedAlone(socket, this.#content), this.#isBinary, true)
    this.frames[windowBits] = frame
    return frame
  }
}
