import type { Script } from '../redis.js'
import { KEPT } from './shared.js'

/**
 * MARK: what a node keeps in Redis, in its own set of keys.
 * - Keys: sealed, keys. Tag `{n:<node>}`.
 * - Arguments: how many are added; those; then those that are taken out.
 * - Reply: Redis's clock in µs; `sealed` if a survivor has claimed the node: then nothing is written.
 * - Cost: 3 commands, and one more for each of adding and taking out.
 * - Idempotent: a set.
 */
export const MARK: Script = {
  lua: `
if redis.call('EXISTS', KEYS[1]) == 1 then return 'sealed' end
local adds = tonumber(ARGV[1])
if adds > 0 then redis.call('SADD', KEYS[2], unpack(ARGV, 2, adds + 1)) end
if #ARGV > adds + 1 then redis.call('SREM', KEYS[2], unpack(ARGV, adds + 2)) end
redis.call('PEXPIRE', KEYS[2], ${KEPT})
local t = redis.call('TIME')
return string.format('%.0f', t[1] * 1000000 + t[2])`,
}
