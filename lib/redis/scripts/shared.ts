/** How long Redis keeps what nobody writes again, in ms. Tombstones of nodes are kept as long. */
export const KEPT = 86_400_000

/** Redis's own clock counts, in ms: those of nodes differ. */
export const NOW: string = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/** The next fence, in µs of Redis's clock: so losing the last one does not make it smaller. A string, all digits. */
export const NEXT_FENCE: string = `
local function nextFence(key)
  local last = tonumber(redis.call('GET', key)) or 0
  local fence = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
  redis.call('SET', key, fence, 'PX', ${KEPT})
  return fence
end
`

/** The nodes that live but for one, each with its info. */
export const OTHERS_OF: string = `
local function othersOf(node, nodes, info)
  local live = {}
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', nodes, now, '+inf')) do
    if other ~= node then live[#live + 1] = {other, redis.call('HGET', info, other) or '{}'} end
  end
  return live
end
`
