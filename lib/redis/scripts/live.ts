import type { Script } from '../redis.js'
import { NOW } from './shared.js'

/**
 * LIVE: which nodes have a lease.
 * - Keys: nodes. Tag `{c}`.
 * - Arguments: none.
 * - Reply: Redis's clock in ms; the nodes.
 * - Cost: 2 commands.
 * - Idempotent: it writes nothing.
 */
export const LIVE: Script = {
  lua: `${NOW}
local live = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
table.insert(live, 1, now)
return live`,
}
