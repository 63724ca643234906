/** All peers are gone at once, as when a proxy in front of the server restarts. */
import { setTimeout as pause } from 'node:timers/promises'
import { open } from '../harness/peers.js'
import { NO_HEARTBEAT, scenario, value } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const CONNECTIONS = 10_000
const RELEASES = 2
/** ms. The server is kept from its loop until all resets wait for it. */
const STALL = 1_500
const UNDER_WAY = 50
/** ms. What has not run by then is missing. */
const PATIENCE = 10_000

const MISSING = 'calls that did not run once'
const LEFT = 'heap left of a connection'

async function reset(server: Server, count: number) {
  const sockets = await open(server, count, '/storm')
  const ended = (await server.ask('ended')) + count
  const released = (await server.ask('released')) + RELEASES * count
  const missing = async (): Promise<number> =>
    Math.abs(ended - (await server.ask('ended'))) +
    Math.abs(released - (await server.ask('released')))

  const stalled = server.ask('watch', STALL)
  await pause(UNDER_WAY)
  const resetAt = performance.now()
  for (const socket of sockets) socket.resetAndDestroy()
  const took = performance.now() - resetAt
  if (took > STALL - 2 * UNDER_WAY) throw new Error(`The peers went in ${took} ms, not at once`)
  await stalled
  const startedAt = performance.now()
  while ((await missing()) > 0 && performance.now() - startedAt < PATIENCE);
  const time = performance.now() - startedAt
  const worst = await server.ask('worst')
  return { 'time until all have ended': time, 'worst stall': worst, [MISSING]: await missing() }
}

export const storm = scenario({
  name: 'storm',
  title: '10,000 peers reset at once, each with an onClose and two releases',
  entrants: { bare: null, ours: 'bare' },
  figures: {
    'time until all have ended': 'ms',
    'worst stall': 'ms',
    [MISSING]: 'calls',
    [LEFT]: 'B',
  },
  targets: [value(MISSING, 0, 0), value(LEFT, 100, 400)],
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
