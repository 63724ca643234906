/** All peers are gone at once, as when a proxy in front of the server restarts. */
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { open } from '../harness/peers.js'
import type { Scenario } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

const CONNECTIONS = { full: 10_000, quick: 1_000 }
/** The server is kept from its loop until all resets wait for it, in ms. */
const STALL = { full: 1_500, quick: 500 }
const UNDER_WAY = 50
/** After so long, in ms, what has not run is missing. */
const PATIENCE = 10_000
const RELEASES = 2

const TIME = 'time until all have ended'
const WORST = 'worst stall'
const MISSING = 'calls that did not run once'
const LEFT = 'heap left of a connection'

interface Storm {
  readonly time: number
  readonly worst: number
  readonly missing: number
}

/** How often an `onClose` and a release have run. */
async function counts(server: Server): Promise<readonly [ended: number, released: number]> {
  return [(await server.ask('ended')) as number, (await server.ask('released')) as number]
}

async function storm(server: Server, count: number, stall: number): Promise<Storm> {
  const sockets = await open(server, count, '/storm')
  const [endedBefore, releasedBefore] = await counts(server)
  const missing = async (): Promise<number> => {
    const [ended, released] = await counts(server)
    const releases = RELEASES * count
    return Math.abs(endedBefore + count - ended) + Math.abs(releasedBefore + releases - released)
  }
  const stalled = server.ask('watch', stall)
  await pause(UNDER_WAY)
  resetAll(sockets, stall - 2 * UNDER_WAY)
  await stalled
  const startedAt = performance.now()
  const elapsed = (): number => performance.now() - startedAt
  while ((await missing()) > 0 && elapsed() < PATIENCE);
  const time = elapsed()
  const worst = await server.worst()
  return { time, worst, missing: await missing() }
}

function resetAll(sockets: readonly Socket[], within: number): void {
  const startedAt = performance.now()
  for (const socket of sockets) socket.resetAndDestroy()
  if (performance.now() - startedAt > within) throw new Error('The peers did not go at once')
}

export const storms: Scenario = {
  name: 'storm',
  title: '10,000 peers reset at once, each with an onClose and two releases',
  entrants: [{ name: 'bare' }, { name: 'ours', against: 'bare' }],
  figures: [
    { name: TIME, unit: 'ms', better: 'less' },
    { name: WORST, unit: 'ms', better: 'less' },
    { name: MISSING, unit: 'calls', better: 'less' },
    { name: LEFT, unit: 'B', better: 'less' },
  ],
  targets: [
    { contestant: 'ours', figure: MISSING, of: 'value', goal: 0, bound: 0 },
    { contestant: 'ours', figure: LEFT, of: 'value', goal: 100, bound: 400 },
  ],
  settings: { interval: 3_600_000 },
  async measure(server, size) {
    const count = CONNECTIONS[size]
    // What the first storm compiles and fills is nobody's.
    await storm(server, count, STALL[size])
    const before = await server.memory()
    const { time, worst, missing } = await storm(server, count, STALL[size])
    const after = await server.memory()
    return {
      [TIME]: time,
      [WORST]: worst,
      [MISSING]: missing,
      [LEFT]: (after.heap - before.heap) / count,
    }
  },
}
