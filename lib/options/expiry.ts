import { types } from 'node:util'
import { invalidOption } from '../errors.js'
import { copyOfDate } from '../platform/real-time.js'
import { kindOf, show } from './complaints.js'

/** Epoch seconds are below this until the year 5138, epoch ms above it since 1973. */
const LEAST_EPOCH_MS = 1e11

/**
 * A date as epoch ms.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function toExpiry(when: unknown, where: string): number {
  // A copy: nothing of the value's own is called.
  const date = types.isDate(when) ? copyOfDate(when) : undefined
  const expiresAt = date?.getTime() ?? when
  if (typeof expiresAt === 'number' && expiresAt >= LEAST_EPOCH_MS) return expiresAt
  // A token, or another secret, may stand where a moment should: its value is not for a log, nor for a client.
  const got = typeof expiresAt === 'number' ? show(date ?? when) : kindOf(when)
  throw invalidOption(
    `Expected a Date, or a number of milliseconds since 1970 from ${LEAST_EPOCH_MS} (are these seconds?), got ${got}, in ${where}`,
  )
}
