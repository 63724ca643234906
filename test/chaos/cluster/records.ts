import { setTimeout as wait } from 'node:timers/promises'
import { now } from './ledger.js'
import type { Stage } from './stage.js'
import { RECOVERY } from './timings.js'

const LOOK_EVERY = 200

/** Redis has lost what was written to it: writes down which records are there, until all nodes should have written theirs. */
export async function watchRecords({ ledger, redis }: Stage): Promise<void> {
  const lostAt = now()
  while (now() < lostAt + RECOVERY) {
    await wait(LOOK_EVERY)
    const hashes = await redis.admin.keys('wsl:{n:*}:durable')
    const ids = await Promise.all(hashes.map(async (hash) => redis.admin.hkeys(hash)))
    ledger.write({ what: 'records', lostAt, ids: ids.flat() })
  }
}
