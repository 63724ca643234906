import type { SendOptions } from '../api/socket.js'

/** Where none were given. */
export const NO_OPTIONS: SendOptions = Object.freeze({})

const AS_TEXT: SendOptions = Object.freeze({ binary: false })

/** The same options, for a text that is given as bytes. */
export function asText(options: SendOptions): SendOptions {
  return options === NO_OPTIONS ? AS_TEXT : { binary: false, ...options }
}

/** Whether more of the same message follows, as ws takes it. */
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

/** Whether an option was given: ws sees no inherited ones. What is not there at all is found out faster. */
function isGiven(options: SendOptions, name: keyof SendOptions): boolean {
  return name in options && Object.hasOwn(options, name)
}
