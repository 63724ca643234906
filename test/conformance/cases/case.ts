import { FIN } from '../../../lib/core/frame.js'
import { bytesOf, closeFrame, frameOf, OPCODE } from '../../../lib/testing/frames.js'

/** What a server has to answer. An echo is text or binary, as it was sent. */
export interface Answer {
  readonly kind: 'text' | 'binary' | 'pong'
  readonly payload: Buffer
}

/** How a case ends. */
export type End =
  /** The client closes with 1000 when all answers have come, and gets its code back. */
  | { readonly how: 'closed after the answers' }
  /** A close frame is among what is sent; the server answers with this code, or with an empty frame for `undefined`. */
  | { readonly how: 'closed by what is sent'; readonly code: number | undefined }
  /** The server gives up, with this code. */
  | { readonly how: 'failed'; readonly code: number }

/** Frames, and waiting until so many answers have come. */
export type Step = Buffer | { readonly answers: number }

/** A case of Autobahn's TestSuite: its number, in our words. */
export interface Case {
  readonly number: string
  readonly what: string
  readonly sends: readonly Step[]
  /** How many bytes are sent at once; by default all of a step. */
  readonly chunk?: number | undefined
  /** With how much else it is sent: each frame by itself, or all in one piece (the default). */
  readonly apart?: boolean
  readonly answers: readonly Answer[]
  /**
   * Whether the answers may miss where the app answers later than at once, because the connection is over by then. The
   * suite allows that too ("non-strict"). The app gets the messages all the same.
   */
  readonly mayMiss?: boolean
  readonly end: End
}

export const AFTER: End = { how: 'closed after the answers' }

export function failed(code = 1002): End {
  return { how: 'failed', code }
}

export function closing(code?: number): End {
  return { how: 'closed by what is sent', code }
}

export function text(payload: Buffer | string): Answer {
  return { kind: 'text', payload: Buffer.from(payload as string) }
}

export function binary(payload: Buffer | string): Answer {
  return { kind: 'binary', payload: Buffer.from(payload as string) }
}

export function pong(payload: Buffer | string = ''): Answer {
  return { kind: 'pong', payload: Buffer.from(payload as string) }
}

/** A whole frame, with the bits for extensions as a number of three bits (RSV1 is 4). */
export function frame(opcode: number, payload: Buffer | string = '', rsv = 0): Buffer {
  return bytesOf(FIN | (rsv << 4) | opcode, payload)
}

/** A frame that is not the last of its message. */
export function part(opcode: number, payload: Buffer | string = ''): Buffer {
  return bytesOf(opcode, payload)
}

/** The frames of a message in fragments of so many bytes. */
export function fragments(opcode: number, payload: Buffer, size: number): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at === 0 || at < payload.length; at += size) {
    const isLast = at + size >= payload.length
    const code = at === 0 ? opcode : OPCODE.continuation
    frames.push(bytesOf(isLast ? FIN | code : code, payload.subarray(at, at + size)))
  }
  return Buffer.concat(frames)
}

export { closeFrame, frameOf, OPCODE }
