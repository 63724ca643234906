import type { Script } from '../redis.js'
import { NOW, OTHERS_OF } from './shared.js'

/**
 * OTHERS: who else has a lease, between two renewals.
 * - Keys: `nodes`, `info`.
 * - Arguments: node.
 * - Reply: the others that live (each with its info).
 * - Cost: 2 commands, and one for each node that lives.
 * - Idempotent: it writes nothing.
 */
export const OTHERS: Script = {
  lua: `${NOW}${OTHERS_OF}
return othersOf(ARGV[1], KEYS[1], KEYS[2])`,
}
