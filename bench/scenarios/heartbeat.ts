/** What it takes to keep many connections alive, and what others notice of it. */
import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { path } from '../harness/contestants.js'
import { type Crowd, openCrowd } from '../harness/crowd.js'
import { spread } from '../harness/numbers.js'
import { ratio, scenario, value } from '../harness/scenario.js'
import { type Server, start } from '../harness/server.js'

/**
 * ms. Shorter than the defaults of ours, 25 s and 20 s, for many rounds in a run; the timeout gives
 * an interval as many ticks as it has with them (25).
 */
const INTERVAL = 2_000
const SETTINGS = { interval: INTERVAL, timeout: 800 }

/** Intervals. The first pings of ours have left after one, its second ones after two. */
const IDLE = { warmUp: 1.5, measured: 2, watched: 3 }
export const IDLE_CPU = 'CPU a connection and round'
const WORST = 'worst echo round trip of a bystander'

/**
 * Keeps the driver's loop turning, so that it never sleeps: over loopback the server pays for waking
 * it, once for each ping that is sent alone, and not at all for those that are sent in a crowd.
 */
function stayAwake(): () => void {
  let turning = setImmediate(function turn() {
    turning = setImmediate(turn)
  })
  return () => clearImmediate(turning)
}

/** @returns the worst round trip of one more connection within each round, in ms */
async function worstTrips({ port }: Server, rounds: number): Promise<number[]> {
  const args = ['--import', 'tsx', path('harness/bystander.ts')]
  const numbers = [port, rounds, INTERVAL].map(String)
  const { stdout } = await promisify(execFile)(process.execPath, [...args, ...numbers])
  return JSON.parse(stdout) as number[]
}

export const idleHeartbeat = scenario({
  name: 'idle-heartbeat',
  title: '10,000 connections that are kept alive, and nothing else',
  entrants: { ours: 'sweep', sweep: null, 'sweep, spread': 'sweep', timers: 'sweep' },
  figures: { [IDLE_CPU]: 'µs', [WORST]: 'ms', 'healthy peers cut off': '' },
  targets: [
    ratio(IDLE_CPU, 1.05, 2.5),
    value(WORST, 15, 100),
    value('healthy peers cut off', 0, 0),
  ],
  settings: SETTINGS,
  async measure(server, size) {
    const crowd = await openCrowd(server, 10_000 * size)
    const sleep = stayAwake()
    await pause(IDLE.warmUp * INTERVAL)
    const { cpu, pings } = await crowd.during(IDLE.measured * INTERVAL)
    sleep()
    // The bystander is work for the server too.
    const worsts = await worstTrips(server, IDLE.watched)
    const lost = crowd.leave()
    return {
      // A round is a ping to each: who pings later gains nothing by that.
      [IDLE_CPU]: cpu / pings,
      [WORST]: spread(worsts).median,
      'healthy peers cut off': lost,
    }
  },
})

/** Often enough that ours has nothing to ask, and no more: the CPU of the traffic drowns the heartbeat's. */
const MESSAGES_A_ROUND = 4 / 3
/** ms. */
const BUSY = { warmUp: 5_000, measured: 20_000, tick: 5 }
const CPU = 'CPU a connection and round, with its echoes'
export const BUSY_CPU = 'CPU of the heartbeat alone, a connection and round'
const PINGS = 'pings a connection and round'

/**
 * One connection after another says something, however late an echo is. Both crowds say the same, and
 * now the one is first, now the other: whoever comes second finds the machine busy.
 */
function chat(crowds: readonly Crowd[], count: number, message: Buffer): NodeJS.Timeout {
  const startedAt = performance.now()
  let order = crowds
  let said = 0
  return setInterval(() => {
    order = order.toReversed()
    const rounds = (performance.now() - startedAt) / INTERVAL
    const due = Math.floor(rounds * MESSAGES_A_ROUND * count)
    for (const { sockets } of order) {
      for (let next = said; next < due; next++) sockets[next % count]?.write(message)
    }
    said = due
  }, BUSY.tick)
}

export const busyHeartbeat = scenario({
  name: 'busy-heartbeat',
  title: '8,000 connections, each with four echoes in three intervals of the heartbeat',
  entrants: { sweep: null, ours: 'sweep', timers: 'sweep' },
  figures: { [CPU]: 'µs', [BUSY_CPU]: 'µs', [PINGS]: '' },
  targets: [ratio(BUSY_CPU, 0.1, 1)],
  settings: SETTINGS,
  /** A twin without a heartbeat has the same talk at the same time: a machine does not stay the same. */
  async measure(server, size) {
    const count = 8_000 * size
    const twin = await start(server, { interval: 0 })
    const crowd = await openCrowd(server, count)
    const twins = await openCrowd(twin, count)
    const measured = async (crowd: Crowd): Promise<Record<'cpu' | 'pings', number>> => {
      const { cpu, pings, messages } = await crowd.during(BUSY.measured * size)
      const rounds = messages / MESSAGES_A_ROUND
      return { cpu: cpu / rounds, pings: pings / rounds }
    }
    const talk = chat([crowd, twins], count, server.dialect.message(64))
    await pause(BUSY.warmUp)
    const [own, alone] = await Promise.all([measured(crowd), measured(twins)])
    clearInterval(talk)
    crowd.leave()
    twins.leave()
    await twin.stop()
    return { [CPU]: own.cpu, [BUSY_CPU]: own.cpu - alone.cpu, [PINGS]: own.pings }
  },
})
