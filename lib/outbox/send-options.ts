import type { SendOptions } from '../api/socket.js'

/** Used when no options were given. */
export const NO_OPTIONS: SendOptions = Object.freeze({})

const AS_TEXT: SendOptions = Object.freeze({ binary: false })

/** Whether it is options. As in ws, all else in their place is ignored. */
export function isOptions(value: unknown): value is SendOptions {
  return typeof value === 'object' && value !== null
}

/** The same options, but for a text that is given as bytes. */
export function asText(options: SendOptions): SendOptions {
  return options === NO_OPTIONS ? AS_TEXT : { binary: false, ...options }
}

/** Whether more of the same message follows, by the rules of ws. */
export function isFragment(options: SendOptions): boolean {
  return !options.fin && isGiven(options, 'fin')
}

export function isMasked(options: SendOptions): boolean {
  return Boolean(options.mask) && isGiven(options, 'mask')
}

/** Whether a message is sent as bytes. */
export function isBinary(payload: string | Uint8Array, options: SendOptions): boolean | undefined {
  return isGiven(options, 'binary') ? options.binary : typeof payload !== 'string'
}

/**
 * Whether an option was given. ws does not see inherited options. `in` comes first because it is faster where
 * there is none.
 */
function isGiven(options: SendOptions, name: keyof SendOptions): boolean {
  return name in options && Object.hasOwn(options, name)
}
