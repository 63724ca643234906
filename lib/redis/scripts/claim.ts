import type { Script } from '../redis.js'
import { KEPT, NEXT_FENCE, NOW } from './shared.js'

/**
 * Claims a node whose lease has been over for another lease, or whose cleaner has not been heard of for a lease.
 * - Keys: `nodes`, `dead`, `info`, `fence`.
 * - Arguments: node, lease in ms; the survivor, and when (by Redis's clock) the renewal ran that has named the node to it.
 * - Reply: the fence of the claim; an empty string if the node may not be claimed. One that Redis does not know may
 *   not: a Redis that was emptied knows no living node either. None may a third of a lease later, because a client may
 *   hold the claim for long; and none if the survivor's own lease is not the one of that renewal: Redis may have lost
 *   it, and with it a renewal of the node.
 * - Cost: 11 commands.
 * - Idempotent: a second run claims nothing. Whoever has not heard the answer to the first may claim a lease later.
 */
export const CLAIM: Script = {
  lua: `${NOW}${NEXT_FENCE}
local nodes, dead, info = KEYS[1], KEYS[2], KEYS[3]
local node, lease = ARGV[1], tonumber(ARGV[2])
local survivor, toldAt = ARGV[3], tonumber(ARGV[4])
if now > toldAt + lease / 3 then return '' end
if tonumber(redis.call('ZSCORE', nodes, survivor)) ~= toldAt + lease then return '' end
local leaseEnd = tonumber(redis.call('ZSCORE', nodes, node))
local claimEnd = tonumber(redis.call('ZSCORE', dead, node))
local free
if claimEnd then free = claimEnd > 0 and claimEnd < now else free = leaseEnd and leaseEnd + lease < now end
if not free then return '' end
local fence = nextFence(KEYS[4])
redis.call('ZREM', nodes, node)
redis.call('ZADD', dead, now + lease, node)
redis.call('HSET', info, 'claim:' .. node, fence)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${KEPT}) end
return fence`,
}
