import type { RefusalReason } from '../../../lib/index.js'

/** `stats().refused`, with these counts and otherwise zeros. */
export function refused(
  counts: Partial<Record<RefusalReason, number>> = {},
): Record<RefusalReason, number> {
  return { draining: 0, route: 0, origin: 0, limit: 0, key: 0, handshake: 0, hook: 0, ...counts }
}
