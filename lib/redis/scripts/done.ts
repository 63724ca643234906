import type { Script } from '../redis.js'
import { KEPT, NOW } from './shared.js'

/**
 * A node is gone, and nothing is left of it: only a tombstone, so that it cannot come back. Drops old tombstones.
 * - Keys: `nodes`, `dead`, `info`.
 * - Arguments: node, fence of the claim; an empty string if the node itself leaves.
 * - Reply: 1; or 0 if somebody else has claimed the node.
 * - Cost: 9 commands.
 * - Idempotent: a second run changes nothing.
 */
export const DONE: Script = {
  lua: `${NOW}
local nodes, dead, info = KEYS[1], KEYS[2], KEYS[3]
local node, fence = ARGV[1], ARGV[2]
local claimEnd = tonumber(redis.call('ZSCORE', dead, node))
if claimEnd and claimEnd < 0 then return 1 end
local claimed = redis.call('HGET', info, 'claim:' .. node)
if fence == '' and claimEnd then return 0 end
if fence ~= '' and (not claimEnd or claimed ~= fence) then return 0 end
redis.call('ZREM', nodes, node)
redis.call('ZADD', dead, -now, node)
redis.call('HDEL', info, node, 'claim:' .. node)
redis.call('ZREMRANGEBYSCORE', dead, string.format('(%.0f', ${KEPT} - now), '(0')
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${KEPT}) end
return 1`,
}
