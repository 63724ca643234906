/** All peers are gone at once, as when a proxy in front of the server restarts. */
import { setTimeout as pause } from 'node:timers/promises'
import { open } from '../harness/peers.js'
import { type Scenario, value, type Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const CONNECTIONS = 10_000
/** The server is kept from its loop until all resets wait for it, in ms. */
const STALL = 1_500
const UNDER_WAY = 50
/** After so long, in ms, what has not run is missing. */
const PATIENCE = 10_000
const RELEASES = 2

const TIME = 'time until all have ended'
const WORST = 'worst stall'
const MISSING = 'calls that did not run once'
const LEFT = 'heap left of a connection'

async function reset(server: Server, count: number): Promise<Values> {
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
  if (took > STALL - 2 * UNDER_WAY)
    throw new Error(`The peers did not go at once, but in ${took} ms`)
  await stalled
  const startedAt = performance.now()
  while ((await missing()) > 0 && performance.now() - startedAt < PATIENCE);
  const time = performance.now() - startedAt
  return { [TIME]: time, [WORST]: await server.worst(), [MISSING]: await missing() }
}

export const storm: Scenario = {
  name: 'storm',
  title: '10,000 peers reset at once, each with an onClose and two releases',
  entrants: { bare: null, ours: 'bare' },
  figures: { [TIME]: 'ms', [WORST]: 'ms', [MISSING]: 'calls', [LEFT]: 'B' },
  targets: [value(MISSING, 0, 0), value(LEFT, 100, 400)],
  settings: { interval: 3_600_000 },
  async measure(server, size) {
    const count = CONNECTIONS * size
    // What the first storm compiles and fills is nobody's.
    await reset(server, count)
    const { heap: before } = await server.memory()
    const values = await reset(server, count)
    const { heap: after } = await server.memory()
    return { ...values, [LEFT]: (after - before) / count }
  },
}
