import type { Script } from '../redis.js'
import { KEPT, NEXT_FENCE, NOW, OTHERS_OF } from './shared.js'

/**
 * Renews the lease of a node, or registers it, and tells of all others.
 * - Keys: `nodes`, `dead`, `info`, `fence`.
 * - Arguments: node, lease in ms, info, `1` to register.
 * - Reply: `claimed`; or until when the lease was to last (empty if Redis did not know the node), the fence (empty
 *   unless it registers), now, the others that live (each with its info), those that may be claimed, and those
 *   whose cleaner is dead too.
 * - Cost: 12 commands, and one for each node that lives.
 * - Idempotent: a second run makes the lease longer by the time between both. A fence may stay unused.
 */
export const RENEW: Script = {
  lua: `${NOW}${NEXT_FENCE}${OTHERS_OF}
local nodes, dead, info = KEYS[1], KEYS[2], KEYS[3]
local node, lease = ARGV[1], tonumber(ARGV[2])
if redis.call('ZSCORE', dead, node) then return {'claimed'} end
local leaseEnd = redis.call('ZSCORE', nodes, node)
redis.call('ZADD', nodes, now + lease, node)
redis.call('HSET', info, node, ARGV[3])
local fence = ARGV[4] == '1' and nextFence(KEYS[4]) or ''
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${KEPT}) end
local expired = redis.call('ZRANGEBYSCORE', nodes, '-inf', '(' .. string.format('%.0f', now - lease))
local orphaned = redis.call('ZRANGEBYSCORE', dead, '(0', '(' .. string.format('%.0f', now))
return {leaseEnd or '', fence, now, othersOf(node, nodes, info), expired, orphaned}`,
}
