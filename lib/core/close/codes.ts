import { CODE_BYTES, MOST_CONTROL } from '../frame.js'

/**
 * Close codes of RFC 6455 §7.4 and of the IANA registry, with the three of 3000-3999 that this
 * field has agreed on (3000 and 3003 mirror HTTP 401 and 403, 3008 mirrors 408).
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

/** Of whom a newer connection of the same key has replaced: private use (RFC 6455 §7.4.2), it mirrors HTTP 409. */
export const REPLACED = 4409

/** What a close frame has room for, beside its code: 123 bytes. */
const MAX_REASON_BYTES = MOST_CONTROL - CODE_BYTES

const RETRYABLE: ReadonlySet<number> = new Set([
  CloseCode.GoingAway,
  CloseCode.NoStatusReceived,
  CloseCode.AbnormalClosure,
  CloseCode.InternalError,
  CloseCode.ServiceRestart,
  CloseCode.TryAgainLater,
  CloseCode.BadGateway,
  CloseCode.Timeout,
])

/**
 * Whether `close.code` is one of `codes`. gorilla/websocket's `IsCloseError`, with one difference:
 * here every end is a close, also a reset or a lost heartbeat (1006).
 */
export function isCloseCode(close: { readonly code: number }, ...codes: number[]): boolean {
  return codes.includes(close.code)
}

/**
 * Whether `close.code` is none of the `expected` codes; without any, every close is unexpected.
 * gorilla/websocket's `IsUnexpectedCloseError`, with the difference told at {@link isCloseCode}.
 */
export function isUnexpectedClose(
  close: { readonly code: number },
  ...expected: number[]
): boolean {
  return !expected.includes(close.code)
}

/**
 * Whether a client that was closed with `code` does well to connect again: 1001, 1005, 1006, 1011,
 * 1012, 1013, 1014 and 3008. Every other code says that the same attempt would end the same way.
 */
export function isRetryable(code: number): boolean {
  return RETRYABLE.has(code)
}

/** Whether `code` may stand in a close frame that an endpoint sends (RFC 6455 §7.4). */
export function isSendableCode(code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

/**
 * What to send for a code that somebody gives, or passes on from another connection. RFC 6455 §7.4.1 has three that no frame
 * carries: 1005 tells of a frame without a code, which is sent then; 1006 and 1015 of a loss, which is an error to others.
 * @returns `otherwise` for any other that may not be sent; `undefined`: none
 */
export function toSendableCode(code: unknown, otherwise: number): number | undefined {
  if (code === undefined || code === CloseCode.NoStatusReceived) return undefined
  if (isSendableCode(code)) return code
  const isLoss = code === CloseCode.AbnormalClosure || code === CloseCode.TlsHandshake
  return isLoss ? CloseCode.InternalError : otherwise
}

/**
 * `reason` cut to the 123 bytes of UTF-8 that a close frame has room for, at a character's border.
 * Lone surrogates, which UTF-8 cannot carry, become U+FFFD.
 * @throws TypeError for what is no string
 */
export function truncateReason(reason: string): string {
  // An encoder makes text of anything: nobody would notice.
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

/** Whatever JavaScript lets people pass as a reason, as one that may be sent. */
export function toReason(reason: unknown): string {
  if (ArrayBuffer.isView(reason)) return truncateReason(textOf(reason))
  return typeof reason === 'string' || typeof reason === 'number'
    ? truncateReason(String(reason))
    : ''
}

const ENCODER = new TextEncoder()
/** A mark of the byte order is text like any other. */
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })

/** Decoding never makes fewer bytes: what comes behind these is cut off in any case. */
const MOST_DECODED = MAX_REASON_BYTES + 4

/** The beginning of the text in a view. */
function textOf(view: ArrayBufferView): string {
  try {
    const { buffer, byteOffset, byteLength } = view
    const bytes = new Uint8Array(buffer, byteOffset, Math.min(byteLength, MOST_DECODED))
    // A copy: the buffer may be shared with other threads, and not every decoder takes such a one.
    return DECODER.decode(Uint8Array.from(bytes))
  } catch {
    // Its buffer was handed to somebody else (detached), or has shrunk: there is nothing left to read.
    return ''
  }
}
