import type { Script } from '../redis.js'

/**
 * Writes records of a node, and removes others.
 *
 * - Keys: the node's seal, and its records.
 * - Arguments: the TTL of the records in ms, and then an id and its record in turn; an empty record removes it.
 * - Reply: `sealed` if a survivor has claimed the node. Nothing was written then, but what was to be removed is gone:
 *   its release has run.
 * - Cost: 2 commands, and one for each record.
 * - Idempotent: it says what stands there, not how that changes.
 */
export const RECORD: Script = {
  lua: `
    local isSealed = redis.call('EXISTS', KEYS[1]) == 1
    for i = 2, #ARGV, 2 do
      if ARGV[i + 1] == '' then
        redis.call('HDEL', KEYS[2], ARGV[i])
      elseif not isSealed then
        redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
      end
    end
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
    return isSealed and 'sealed' or 'ok'
  `,
}
