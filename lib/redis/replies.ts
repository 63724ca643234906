/**
 * Makes replies alike, whatever client they come from and whatever its options: strings and numbers, `null`, and
 * arrays of these. A map is an array of its names and values in turn, as in RESP2.
 */
export function alike(reply: unknown): unknown {
  if (typeof reply === 'bigint') return Number(reply)
  if (typeof reply !== 'object' || reply === null) return reply
  if (Buffer.isBuffer(reply)) return reply.toString()
  if (Array.isArray(reply) || reply instanceof Set) return Array.from(reply, alike)
  const pairs = reply instanceof Map ? [...reply] : Object.entries(reply)
  return pairs.flat().map(alike)
}
