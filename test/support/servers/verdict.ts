import type { CloseInfo } from '../../../lib/index.js'

/** What tells one end from another. */
export function verdict({
  cause,
  initiator,
  code,
  reason,
  clean,
  expected,
  retryable,
}: CloseInfo): unknown {
  return { cause, initiator, code, reason, clean, expected, retryable }
}

/** Of an end without a close frame of the peer, as most of these are. */
export const UNTOLD = {
  code: 1006,
  reason: '',
  clean: false,
  expected: false,
  retryable: true,
} as const

export function errorCode(close: CloseInfo): unknown {
  return close.error && Reflect.get(close.error, 'code')
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}
