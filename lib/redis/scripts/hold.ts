import type { Script } from '../redis.js'
import { KEPT } from './shared.js'

/**
 * HOLD: a node has members of a group.
 * - Keys: the holders of the group's name. Tag `{k:<key>}`.
 * - Arguments: the node.
 * - Reply: nothing of interest.
 * - Cost: 2 commands, in one script so that there is never a set without an end.
 * - Idempotent: a set.
 */
export const HOLD: Script = {
  lua: `
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ${KEPT})`,
}
