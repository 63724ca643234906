import { CODE_BYTES, MOST_CONTROL } from '../frame.js'

export { isRetryable } from './retryable.js'

/**
 * The close codes of RFC 6455 §7.4 and of the IANA registry, and three codes of 3000-3999 that are widely
 * used: 3000 and 3003 mirror HTTP 401 and 403, 3008 mirrors 408.
 */
export const CloseCode: Readonly<{
  NormalClosure: 1000
  GoingAway: 1001
  ProtocolError: 1002
  UnsupportedData: 1003
  NoStatusReceived: 1005
  AbnormalClosure: 1006
  InvalidFramePayloadData: 1007
  PolicyViolation: 1008
  MessageTooBig: 1009
  MandatoryExtension: 1010
  InternalError: 1011
  ServiceRestart: 1012
  TryAgainLater: 1013
  BadGateway: 1014
  TlsHandshake: 1015
  Unauthorized: 3000
  Forbidden: 3003
  Timeout: 3008
}> = Object.freeze({
  NormalClosure: 1000,
  GoingAway: 1001,
  ProtocolError: 1002,
  UnsupportedData: 1003,
  NoStatusReceived: 1005,
  AbnormalClosure: 1006,
  InvalidFramePayloadData: 1007,
  PolicyViolation: 1008,
  MessageTooBig: 1009,
  MandatoryExtension: 1010,
  InternalError: 1011,
  ServiceRestart: 1012,
  TryAgainLater: 1013,
  BadGateway: 1014,
  TlsHandshake: 1015,
  Unauthorized: 3000,
  Forbidden: 3003,
  Timeout: 3008,
})

/**
 * The code of our close frame where a newer connection of the same key takes the place. It is a private code
 * (RFC 6455 §7.4.2) and mirrors HTTP 409.
 */
export const REPLACED = 4409

/** The most bytes of a reason: what is left of a close frame after its code, 123 bytes. */
const MAX_REASON_BYTES = MOST_CONTROL - CODE_BYTES

/**
 * Whether `close.code` is one of `codes`. This is gorilla/websocket's `IsCloseError`, with one difference:
 * here every end has a code, also a reset or a lost heartbeat (1006).
 */
export function isCloseCode(close: { readonly code: number }, ...codes: number[]): boolean {
  return codes.includes(close.code)
}

/**
 * Whether `close.code` is none of the `expected` codes. Without any codes, every close is unexpected. This is
 * gorilla/websocket's `IsUnexpectedCloseError`, with the same difference as {@link isCloseCode}.
 */
export function isUnexpectedClose(
  close: { readonly code: number },
  ...expected: number[]
): boolean {
  return !expected.includes(close.code)
}

/** Whether `code` may stand in a close frame that an endpoint sends (RFC 6455 §7.4). */
export function isSendableCode(code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

/**
 * The code to send for a code that the app gives, or passes on from another connection. RFC 6455 §7.4.1 has
 * three codes that no frame may carry. 1005 means a frame without a code, so such a frame is sent. 1006 and
 * 1015 mean that the connection was lost, so 1011 is sent.
 * @returns `otherwise` for any other code that may not be sent; `undefined` to send no code
 */
export function toSendableCode(code: unknown, otherwise: number): number | undefined {
  if (code === undefined || code === CloseCode.NoStatusReceived) return undefined
  if (isSendableCode(code)) return code
  const isLoss = code === CloseCode.AbnormalClosure || code === CloseCode.TlsHandshake
  return isLoss ? CloseCode.InternalError : otherwise
}

/**
 * Cuts `reason` to the 123 bytes of UTF-8 that fit into a close frame, between two characters. Lone
 * surrogates, which UTF-8 cannot carry, become U+FFFD.
 * @throws TypeError if `reason` is no string
 */
export function truncateReason(reason: string): string {
  // An encoder would turn any value into text, and nobody would notice the mistake.
  if (typeof reason !== 'string') {
    throw new TypeError(`Expected \`reason\` to be a string, got ${typeof reason}`)
  }
  const bytes = ENCODER.encode(reason)
  if (bytes.length <= MAX_REASON_BYTES) return DECODER.decode(bytes)
  let end = MAX_REASON_BYTES
  // A byte of the form 10xxxxxx continues a character that began before it.
  while (((bytes[end] as number) & 0xc0) === 0x80) end--
  return DECODER.decode(bytes.subarray(0, end))
}

/** Turns anything that was passed as a reason into one that may be sent. */
export function toReason(reason: unknown): string {
  if (ArrayBuffer.isView(reason)) return truncateReason(textOf(reason))
  return typeof reason === 'string' || typeof reason === 'number'
    ? truncateReason(String(reason))
    : ''
}

const ENCODER = new TextEncoder()
/** A byte order mark is kept, like any other character. */
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The most bytes of a view that are decoded. Decoding never makes fewer bytes, so all bytes after these would
 * be cut off.
 */
const MOST_DECODED = MAX_REASON_BYTES + 4

/** The beginning of the text in a view; `''` if it cannot be read. */
function textOf(view: ArrayBufferView): string {
  try {
    const { buffer, byteOffset, byteLength } = view
    const bytes = new Uint8Array(buffer, byteOffset, Math.min(byteLength, MOST_DECODED))
    // A copy, because the buffer may be shared with other threads, and not every decoder takes a shared one.
    return DECODER.decode(Uint8Array.from(bytes))
  } catch {
    // The buffer was transferred to somebody else (detached), or has shrunk: there is nothing left to read.
    return ''
  }
}
