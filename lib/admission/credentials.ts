import type { FastifyRequest } from 'fastify'
import { credentialsExpired } from '../errors.js'
import { toExpiry } from '../options/expiry.js'
import { toPromise } from '../platform/thenable.js'
import type { Route } from '../routes/route.js'
import type { Clock } from '../time/clock.js'

/**
 * Asks the route's `expiresAt` when the credentials of a request end.
 * @returns epoch ms, `Infinity` for never; `undefined` if the route has no such function
 * @throws (rejects with) FST_ERR_WSL_CREDENTIALS_EXPIRED, FST_ERR_WSL_INVALID_OPTION, and errors of the app's
 * function
 */
export function askExpiry(
  { settings, url }: Route,
  request: FastifyRequest,
  clock: Clock,
): Promise<number> | undefined {
  const { expiresAt } = settings
  return expiresAt && judgeExpiry(async () => toPromise(expiresAt(request)), url, clock)
}

async function judgeExpiry(
  ask: () => Promise<unknown>,
  url: string,
  clock: Clock,
): Promise<number> {
  const when = await ask()
  if (when === undefined) return Infinity
  const expiresAt = toExpiry(when, `the answer of \`expiresAt\` of route ${url}`)
  if (expiresAt <= clock.wall()) throw credentialsExpired()
  return expiresAt
}
