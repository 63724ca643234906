import type { FastifyRequest } from 'fastify'
import type { RefusalReason } from '../api/lifecycle.js'
import type { Capacity } from '../core/admission/capacity.js'
import { Succession } from '../core/admission/succession.js'
import { CloseCode } from '../core/close/codes.js'
import {
  invalidOption,
  type LifecycleError,
  originRefused,
  tooManyConnections,
  tooManyConnectionsPerKey,
  withRetryAfter,
} from '../errors.js'
import { follow, ignoreRejection } from '../platform/thenable.js'
import type { Route } from '../routes/route.js'
import { hostOf, isAllowed, isEncrypted } from './origin.js'

/** Why an upgrade is refused, and what it is told: an HTTP error or a close code. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly error: LifecycleError
  readonly closeCode: number
}

/** An upgrade that wants to be let in. */
export interface Applicant {
  /** Whether it is over, or is being answered. */
  readonly isDecided: boolean
  /** @returns whether there was room */
  take(capacity: Capacity, key?: string): boolean
  /** Takes a place of a key, waits for one, or gives way. */
  claim(succession: Succession, key: string): void
}

/** The `Retry-After` of a refusal where another connection has to end first, in seconds. */
const RETRY_AFTER = 5

/**
 * The close code that mirrors HTTP 429: a private one (RFC 6455 §7.4.2). `isRetryable` says `false` for it,
 * unlike for 1013: the same user has taken all places, and would come back for ever.
 */
const TOO_MANY_OF_A_KEY = 4429

/**
 * Decides before the route's own hooks run: by the origin, then by the number of connections in total and of
 * the route.
 */
export function refuseAtFirst(
  applicant: Applicant,
  request: FastifyRequest,
  route: Route,
): Refusal | undefined | Promise<Refusal | undefined> {
  // Version 8 of the protocol, which ws accepts too, has its own header for the origin.
  const { headers } = request
  const origin = headers.origin ?? headers['sec-websocket-origin']?.toString()
  // A request without an origin comes from no browser, so no page can abuse its user's cookies.
  if (origin === undefined) return refuseInAll(applicant, route)
  const judge = (isWelcome: unknown): Refusal | undefined =>
    isWelcome === true ? refuseInAll(applicant, route) : refuseOrigin(origin, request)
  const verdict = isAllowed(route.settings.allowedOrigins, origin, request)
  return typeof verdict === 'boolean' ? judge(verdict) : follow(verdict, judge)
}

function refuseOrigin(origin: string, request: FastifyRequest): Refusal {
  const transport = isEncrypted(request) ? ', over TLS' : ''
  const error = originRefused(quote(origin), quote(hostOf(request)), transport)
  return { reason: 'origin', error, closeCode: CloseCode.Forbidden }
}

/** Text of strangers, cut to a length that is fit for a log. */
function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

/** Decides by the number of connections in total and of the route. */
export function refuseInAll(applicant: Applicant, { capacity }: Route): Refusal | undefined {
  // It may have left, or taken too long, while its origin was judged.
  if (applicant.isDecided) return undefined
  const full = capacity.inAll.find((one) => !applicant.take(one))
  return full && { reason: 'limit', ...tryAgainLater(tooManyConnections(full.of)) }
}

/** Decides after the route's own hooks, which may have found out the user. */
export function refusePerKey(
  applicant: Applicant,
  request: FastifyRequest,
  { capacity, url }: Route,
): Refusal | undefined {
  if (capacity.perKey === undefined) return undefined
  const { key: keyOf, capacity: ofKey } = capacity.perKey
  const key: unknown = keyOf(request)
  if (key === undefined) return undefined
  if (typeof key !== 'string') {
    ignoreRejection(key)
    throw invalidOption(
      `Expected \`maxConnectionsPerKey.key\` to return a string or undefined, got ${typeof key}, in the options of route ${url}`,
    )
  }
  if (ofKey instanceof Succession) {
    applicant.claim(ofKey, key)
    return undefined
  }
  if (applicant.take(ofKey, key)) return undefined
  const refusal = tryAgainLater(tooManyConnectionsPerKey(ofKey.of))
  return { reason: 'key', ...refusal, closeCode: TOO_MANY_OF_A_KEY }
}

function tryAgainLater(error: LifecycleError): Omit<Refusal, 'reason'> {
  return { error: withRetryAfter(error, RETRY_AFTER), closeCode: CloseCode.TryAgainLater }
}
