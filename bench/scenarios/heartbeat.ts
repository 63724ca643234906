/** What it takes to keep many connections alive, and what others notice of it. */
import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { path } from '../harness/contestants.js'
import { type Crowd, openCrowd } from '../harness/crowd.js'
import { spread } from '../harness/numbers.js'
import { beside, ratio, scenario, value } from '../harness/scenario.js'
import { type Server, start } from '../harness/server.js'

/** ms. Shorter than the defaults of ours, in whose proportion an interval has 25 ticks, as here. */
const INTERVAL = 2_000
const SETTINGS = { interval: INTERVAL, timeout: 800 }

/** Intervals. The first pings of ours have left after one, its second ones after two. */
const WARM_UP = 1.5
const MEASURED = 2
const WATCHED = 3

const IDLE_CPU = 'CPU, a connection and round'
const WORST = 'worst echo of a bystander'
const LOST = 'healthy peers cut off'

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

/** @returns the worst round trip of one more connection within each interval, in ms */
async function worstTrips({ port }: Server): Promise<number[]> {
  const numbers = [port, WATCHED, INTERVAL].map(String)
  const args = ['--import', 'tsx', path('harness/bystander.ts'), ...numbers]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as number[]
}

export const idleHeartbeat = scenario({
  name: 'idle-heartbeat',
  title: '10,000 connections that are kept alive, and nothing else',
  entrants: beside('sweep', 'ours', 'sweep, spread', 'timers'),
  figures: { [IDLE_CPU]: 'µs', [WORST]: 'ms', [LOST]: '' },
  targets: [ratio(IDLE_CPU, 1.05, 2.5), value(WORST, 15, 100), value(LOST, 0, 0)],
  picture: { title: 'Heartbeats of idle connections', of: 'value' },
  settings: SETTINGS,
  async measure(server, size) {
    const crowd = await openCrowd(server, 10_000 * size)
    const sleep = stayAwake()
    await pause(WARM_UP * INTERVAL)
    const { cpu, pings } = await crowd.during(MEASURED * INTERVAL)
    sleep()
    // The bystander is work for the server too.
    const worst = spread(await worstTrips(server)).median
    // A round is a ping to each: who pings later gains nothing by that.
    return { [IDLE_CPU]: cpu / pings, [WORST]: worst, [LOST]: crowd.leave() }
  },
})

/** Often enough that ours has nothing to ask, and no more: the CPU of the traffic drowns the heartbeat's. */
const MESSAGES_A_ROUND = 4 / 3
/** ms. */
const TRAFFIC = { warmUp: 5_000, measured: 20_000, tick: 5 }

const CPU = 'CPU with its echoes, a connection and round'
const BUSY_CPU = 'CPU of the heartbeat, a connection and round'
const PINGS = 'pings, a connection and round'

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
  }, TRAFFIC.tick)
}

export const busyHeartbeat = scenario({
  name: 'busy-heartbeat',
  title: '8,000 connections, each with four echoes in three intervals of the heartbeat',
  entrants: beside('sweep', 'ours', 'timers'),
  figures: { [CPU]: 'µs', [BUSY_CPU]: 'µs', [PINGS]: '' },
  targets: [ratio(BUSY_CPU, 0.1, 1)],
  picture: { title: 'Heartbeats of connections with traffic', of: 'value' },
  settings: SETTINGS,
  /** A twin without a heartbeat has the same talk at the same time: a machine does not stay the same. */
  async measure(server, size) {
    const count = 8_000 * size
    const twin = await start(server, { interval: 0 })
    const crowds = [await openCrowd(server, count), await openCrowd(twin, count)] as const
    const talk = chat(crowds, count, server.dialect.message(64))
    await pause(TRAFFIC.warmUp)
    const perRound = async (crowd: Crowd) => {
      const { cpu, pings, messages } = await crowd.during(TRAFFIC.measured * size)
      const rounds = messages / MESSAGES_A_ROUND
      return { cpu: cpu / rounds, pings: pings / rounds }
    }
    const [own, twins] = await Promise.all([perRound(crowds[0]), perRound(crowds[1])])
    clearInterval(talk)
    for (const crowd of crowds) crowd.leave()
    await twin.stop()
    return { [CPU]: own.cpu, [BUSY_CPU]: own.cpu - twins.cpu, [PINGS]: own.pings }
  },
})
