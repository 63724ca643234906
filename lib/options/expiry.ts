import { types } from 'node:util'
import { invalidOption } from '../errors.js'
import { copyOfDate } from '../platform/real-time.js'
import { kindOf, show } from './complaints.js'

/** Epoch seconds are below this number until the year 5138, epoch ms have been above it since 1973. */
const LEAST_EPOCH_MS = 1e11

/**
 * Turns a Date, or a number, into epoch ms.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function toExpiry(when: unknown, where: string): number {
  // A copy, so that no method of the value itself is called.
  const date = types.isDate(when) ? copyOfDate(when) : undefined
  const expiresAt = date?.getTime() ?? when
  if (typeof expiresAt === 'number' && expiresAt >= LEAST_EPOCH_MS) return expiresAt
  // The value may be a token or another secret by mistake. It must not get into a log, nor to a client.
  const got = typeof expiresAt === 'number' ? show(date ?? when) : kindOf(when)
  throw invalidOption(
    `Expected a Date, or a number of milliseconds since 1970 from ${LEAST_EPOCH_MS} (are these seconds?), got ${got}, in ${where}`,
  )
}
