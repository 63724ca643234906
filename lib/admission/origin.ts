import type { FastifyRequest } from 'fastify'
import { isListed, isSameOrigin, LastOrigin } from '../core/admission/origin.js'
import type { OriginPolicy } from '../options/settings.js'

/** One memory for all servers of this process. Parsing an origin is a good part of what an upgrade costs. */
const last = new LastOrigin()

/** Whether a page with this `Origin` header may connect. */
export function isAllowed(
  policy: OriginPolicy,
  header: string,
  request: FastifyRequest,
): boolean | Promise<boolean> {
  if (policy === '*') return true
  const origin = last.normalize(header)
  if (origin === undefined) return false
  if (policy === 'same-origin') {
    return isSameOrigin(origin, hostOf(request), isEncrypted(request), last)
  }
  return typeof policy === 'function' ? policy(origin, request) : isListed(origin, policy)
}

/** The host that the client asked for. Some versions of Fastify return `undefined` if it named none. */
export function hostOf(request: { readonly host?: string }): string {
  return request.host ?? ''
}

/**
 * Whether the request came over TLS. Some proxies forward the scheme of the upgrade, `wss`, and not that of
 * the request.
 */
export function isEncrypted({ protocol }: FastifyRequest): boolean {
  return /^(?:https|wss)$/i.test(protocol)
}
