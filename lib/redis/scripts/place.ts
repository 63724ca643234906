import type { Script } from '../redis.js'
import { KEPT } from './shared.js'

/**
 * PLACE: takes a place of a key, and tells who has to give way.
 * - Keys: the places of the key. Tag `{p:<of>:<key>}`.
 * - Arguments: `<node>.<id>`; when it was taken, in µs of Redis's clock; how many places there are; its name before
 *   this node was fenced, or nothing.
 * - Reply: all but the newest so many. They stay in the set until they are told: the reply may get lost.
 * - Cost: 3 commands, 4 after a fence.
 * - Idempotent: the time comes with the call, and is always the same for one place. With the time of the script, one
 *   that had to give way would come back as the newest when a client sends the call again.
 */
export const PLACE: Script = {
  lua: `
if ARGV[4] ~= '' then redis.call('ZREM', KEYS[1], ARGV[4]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${KEPT})
return redis.call('ZREVRANGE', KEYS[1], ARGV[3], -1)`,
}
