import type { Names } from './names.js'
import type { Redis } from './redis.js'

/** How many marks are read at a time. */
const SOME = 200

/** How a group stands in a node's own set of keys. */
export function markOfGroup(key: string): string {
  return `k:${key}`
}

/** How a place stands there. */
export function markOfPlace(id: string, places: string): string {
  return `p:${id}:${places}`
}

/** How a place stands among those of its key. No node has a dot in its name. */
export function memberOf(node: string, id: string): string {
  return `${node}.${id}`
}

/**
 * Takes out of Redis all that a node keeps there. It can be called again where it has failed.
 * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE
 */
export async function sweepKeys(redis: Redis, names: Names, node: string): Promise<void> {
  const keys = names.keysOf(node)
  let cursor = '0'
  do {
    const [next, marks] = (await redis.command('SSCAN', keys, cursor, 'COUNT', SOME)) as [
      string,
      string[],
    ]
    await Promise.all(marks.map(async (mark) => eraseMarked(redis, names, node, mark)))
    if (marks.length > 0) await redis.command('SREM', keys, ...marks)
    cursor = next
  } while (cursor !== '0')
}

async function eraseMarked(redis: Redis, names: Names, node: string, mark: string): Promise<void> {
  const [, kind, rest = ''] = /^([kp]):(.*)$/s.exec(mark) ?? []
  if (kind === 'k') await redis.command('SREM', names.holdersOf(rest), node)
  if (kind === 'p') {
    const end = rest.indexOf(':')
    await redis.command('ZREM', rest.slice(end + 1), memberOf(node, rest.slice(0, end)))
  }
}
