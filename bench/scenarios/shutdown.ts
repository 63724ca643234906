/** The end of all connections at once: of app.close(), or of a proxy in front that restarts. */
import { setTimeout as pause } from 'node:timers/promises'
import { openCrowd } from '../harness/crowd.js'
import { open } from '../harness/peers.js'
import { beside, NO_HEARTBEAT, ratio, scenario, type Target, value } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const CONNECTIONS = 10_000
const TIME = 'time of app.close()'
const STALL = 'worst stall meanwhile'
const UNTOLD = 'polite peers without a close frame'

/** @param frozenShare of the peers read, and never answer */
const shutdown = (name: string, title: string, frozenShare: number, ofTime: Target) =>
  scenario({
    name,
    title,
    entrants: beside('bare', 'ours'),
    figures: { [TIME]: 'ms', [STALL]: 'ms', [UNTOLD]: 'peers' },
    targets: [ofTime, ratio(STALL, 0.25), value(UNTOLD, 0, 0)],
    picture: { title: 'Shutdown', of: 'value', figures: [TIME, STALL] },
    settings: NO_HEARTBEAT,
    async measure(server, size) {
      const frozen = await open(server, CONNECTIONS * size * frozenShare)
      const polite = await openCrowd(server, CONNECTIONS * size - frozen.length)
      await server.ask('watch')
      const time = await server.ask('close', 60_000)
      const stall = await server.ask('worst')
      for (const socket of frozen) socket.destroy()
      polite.leave()
      const untold = polite.sockets.length - polite.counted('close')
      return { [TIME]: time, [STALL]: stall, [UNTOLD]: untold }
    },
  })

const ANSWERED = 'app.close() with 10,000 peers that answer a close frame'
const FROZEN = 'the same, with one in a hundred that never answers and keeps its connection'

export const SHUTDOWNS = [
  shutdown('shutdown', ANSWERED, 0, ratio(TIME, 1.25, 2.5)),
  shutdown('shutdown-frozen', FROZEN, 0.01, ratio(TIME, 0.15, 0.8)),
]

/** ms. The server is kept from its loop until all resets wait for it. */
const STANDSTILL = 1_500
const UNDER_WAY = 50
/** ms. What has not run by then is missing. */
const PATIENCE = 10_000

const UNTIL_ENDED = 'time until all have ended'
const WORST = 'worst stall'
const MISSING = 'calls that did not run once'
const LEFT = 'heap left, of a connection'

type Counts = Readonly<Record<'ended' | 'released', number>>

async function reset(server: Server, count: number) {
  const sockets = await open(server, count, '/storm')
  const before = await server.ask<Counts>('counts')
  const missing = async (): Promise<number> => {
    const { ended, released } = await server.ask<Counts>('counts')
    return Math.abs(before.ended + count - ended) + Math.abs(before.released + 2 * count - released)
  }

  const stalled = server.ask('watch', STANDSTILL)
  await pause(UNDER_WAY)
  const resetAt = performance.now()
  for (const socket of sockets) socket.resetAndDestroy()
  const took = performance.now() - resetAt
  if (took > STANDSTILL - 2 * UNDER_WAY) throw new Error(`Peers went in ${took} ms, not at once`)
  await stalled
  const startedAt = performance.now()
  while ((await missing()) > 0 && performance.now() - startedAt < PATIENCE);
  const time = performance.now() - startedAt
  const worst = await server.ask('worst')
  return { [UNTIL_ENDED]: time, [WORST]: worst, [MISSING]: await missing() }
}

export const storm = scenario({
  name: 'storm',
  title: '10,000 peers reset at once, each with an onClose and two releases',
  entrants: beside('bare', 'ours'),
  figures: { [UNTIL_ENDED]: 'ms', [WORST]: 'ms', [MISSING]: 'calls', [LEFT]: 'B' },
  targets: [value(MISSING, 0, 0), value(LEFT, 100, 400)],
  picture: { title: 'A storm of resets', of: 'value', figures: [UNTIL_ENDED, WORST] },
  settings: NO_HEARTBEAT,
  async measure(server, size) {
    const count = CONNECTIONS * size
    // What the first storm compiles and fills is nobody's.
    await reset(server, count)
    const { heap: before } = await server.memory()
    const values = await reset(server, count)
    const { heap: after } = await server.memory()
    return { ...values, [LEFT]: (after - before) / count }
  },
})
