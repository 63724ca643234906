import type { Script } from '../redis.js'
import { NOW } from './shared.js'

/**
 * DELIVER: a message to nodes, unless it is too late. A client may hold a call for as long as an outage lasts; a
 * `close` that comes after that would end connections of a later time.
 * - Keys: nodes, so that the clock is that of LIVE. Tag `{c}`.
 * - Arguments: until when, in ms of Redis's clock; the message; the channels.
 * - Reply: for each channel how many have heard it, in a Redis Cluster only those at the same shard; nothing if it is
 *   too late.
 * - Cost: 1 command, and one for each channel.
 * - Idempotent: not by itself. Messages are numbered, and a node takes each number once.
 */
export const DELIVER: Script = {
  lua: `${NOW}
local heard = {}
if now > tonumber(ARGV[1]) then return heard end
for at = 3, #ARGV do heard[at - 2] = redis.call('PUBLISH', ARGV[at], ARGV[2]) end
return heard`,
}
