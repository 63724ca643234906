import { normalizeOrigin } from '../core/admission/origin.js'
import { refuse } from '../options/complaints.js'

const EXPECTED =
  'an origin at which other nodes reach this one, such as `http://10.0.0.5:3000` (`http:` or `https:`, host and port; no user, path or query)'

/** A server binds to all of its interfaces with these, and nobody connects to them. */
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Where a node listens. */
export interface Endpoint {
  readonly isTls: boolean
  /** A name, or an IP address; one of IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/**
 * Resolves `address`.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function resolveAddress(value: unknown, where: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') return refuse('address', { expected: EXPECTED }, value, where)
  if (endpointOf(value) !== undefined) return normalizeOrigin(value)
  // A user may come with a password.
  return refuse('address', { expected: EXPECTED }, value.replace(/\/\/.*@/s, '//***@'), where)
}

/** @returns `undefined` if it is no address; another node may be of another version */
export function endpointOf(address: string): Endpoint | undefined {
  const origin = normalizeOrigin(address)
  if (origin === undefined || !/^https?:\/\/[^*]+$/.test(origin)) return undefined
  const { protocol, hostname, port } = new URL(origin)
  const isTls = protocol === 'https:'
  const host = hostname.replaceAll(/[[\]]/g, '')
  // Nobody listens on port 0: a server that is told to gets another one.
  if (EVERYWHERE.has(host) || port === '0') return undefined
  return { isTls, host, port: Number(port || (isTls ? 443 : 80)) }
}
