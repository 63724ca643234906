import Fastify from 'fastify'

const { version } = Fastify()

/**
 * Whether the Fastify that runs is this version or a later one. The oldest that we support cannot do all that is tested,
 * and has faults of its own, which we cannot mend.
 */
export function isFastifySince(wanted: string): boolean {
  return version.localeCompare(wanted, 'en', { numeric: true }) >= 0
}
