import { clusterKey } from '../errors.js'

/** The longest key, in bytes of UTF-8. */
const LONGEST_KEY = 512

/** The most groups of one connection. */
const MOST_GROUPS = 64

/** Whether other nodes can be asked about it. */
export function isKey(key: string): boolean {
  if (key === '' || key.length > LONGEST_KEY) return false
  // A unit of UTF-16 never makes more than three bytes.
  return key.length * 3 <= LONGEST_KEY || Buffer.byteLength(key) <= LONGEST_KEY
}

/** @throws FST_ERR_WSL_CLUSTER_KEY */
export function checkKey(key: string, what: string, where: string): void {
  if (isKey(key)) return
  throw clusterKey(
    `Expected ${what} to have 1 to ${LONGEST_KEY} bytes in UTF-8, got ${Buffer.byteLength(key)}, ${where}`,
  )
}

/**
 * Called before somebody joins groups.
 * @param count how many groups it would be in
 * @throws FST_ERR_WSL_CLUSTER_KEY
 */
export function checkGroups(names: readonly string[], count: number): void {
  for (const name of names) checkKey(name, 'the name of a group', 'on a server of a cluster')
  if (count <= MOST_GROUPS) return
  throw clusterKey(
    `Expected a connection to be in at most ${MOST_GROUPS} groups, got ${count}, on a server of a cluster`,
  )
}
