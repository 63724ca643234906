import type { Script } from '../redis.js'
import { KEPT, NOW } from './shared.js'

/**
 * Keeps a claim for another lease, unless somebody else has the node by now.
 * - Keys: `dead`, `info`.
 * - Arguments: node, lease in ms, fence of the claim.
 * - Reply: 1, or 0 if the claim is lost.
 * - Cost: 6 commands.
 * - Idempotent: a second run makes the claim longer by the time between both.
 */
export const EXTEND: Script = {
  lua: `${NOW}
local dead, info = KEYS[1], KEYS[2]
local node = ARGV[1]
local claimEnd = tonumber(redis.call('ZSCORE', dead, node))
if not claimEnd or claimEnd < 0 then return 0 end
if redis.call('HGET', info, 'claim:' .. node) ~= ARGV[3] then return 0 end
redis.call('ZADD', dead, now + ARGV[2], node)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ${KEPT}) end
return 1`,
}
