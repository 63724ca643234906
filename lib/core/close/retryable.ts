/** A file of its own, with bare numbers: the client ships it to browsers, and none of the other codes. */
const RETRYABLE: ReadonlySet<number> = new Set([
  1001, // going away
  1005, // no status received
  1006, // abnormal closure
  1011, // internal error
  1012, // service restart
  1013, // try again later
  1014, // bad gateway
  3008, // timeout
])

/**
 * Whether a client that was closed with `code` should connect again: 1001, 1005, 1006, 1011, 1012, 1013, 1014
 * and 3008. Every other code means that the same attempt would end in the same way.
 */
export function isRetryable(code: number): boolean {
  return RETRYABLE.has(code)
}
