import { types } from 'node:util'
import type { LifecycleOptions } from '../api/options.js'
import { anchor, isAnchored, normalizeOrigin } from '../core/admission/origin.js'
import type { Check } from './check.js'
import { refuse } from './complaints.js'
import type { OriginPolicy } from './settings.js'

const ORIGIN: Check = {
  expected:
    "an origin such as 'https://app.example' (scheme, host and port; no path, no `*`), or a pattern",
  accepts: (value) =>
    typeof value === 'string' && !/\*|^wss?:/i.test(value) && normalizeOrigin(value) !== undefined,
}

/**
 * Resolves `allowedOrigins`.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function resolveOrigins(
  option: LifecycleOptions['allowedOrigins'],
  base: OriginPolicy,
  where: string,
): OriginPolicy {
  if (option === undefined) return base
  if (typeof option === 'string' || typeof option === 'function') return option
  return Object.freeze(
    Array.from(option, (entry, i) => resolveEntry(entry, `allowedOrigins[${i}]`, where)),
  )
}

function resolveEntry(entry: unknown, name: string, where: string): string | RegExp {
  if (types.isRegExp(entry)) return resolvePattern(entry, name, where)
  const origin = ORIGIN.accepts(entry) ? normalizeOrigin(String(entry)) : undefined
  return origin ?? refuse(name, ORIGIN, entry, where)
}

function resolvePattern(pattern: RegExp, name: string, where: string): RegExp {
  if (!isAnchored(pattern)) {
    const expected = `a pattern that ends in \`$\`, such as ${String(anchor(pattern))}, for else it matches what only begins like an origin of yours`
    refuse(name, { expected }, pattern, where)
  }
  // With these flags a pattern remembers where it matched last. The sticky flag also says where a match
  // begins.
  const source = pattern.sticky ? `^(?:${pattern.source})` : pattern.source
  return new RegExp(source, pattern.flags.replaceAll(/[gy]/g, ''))
}
