/** What it takes to keep many idle connections alive, and what others notice of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { worstTrips } from '../harness/bystander.js'
import { Crowd } from '../harness/crowd.js'
import { spread } from '../harness/numbers.js'
import { ratio, type Scenario, value } from '../harness/scenario.js'

/**
 * Shorter than the defaults of ours, 25 s and 20 s, so that the rounds of a run are many; the timeout
 * gives an interval as many ticks as it has with them (25).
 */
const SETTINGS = { interval: 2_000, timeout: 800 }
const CONNECTIONS = 10_000
/** Intervals. The first pings of ours have left after one, its second ones after two. */
const WARM_UP = 1.5
const MEASURED = 2
const WATCHED = 3

const CPU = 'CPU a connection and round'
const WORST = 'worst echo round trip of a bystander'
const LOST = 'healthy peers cut off'

/**
 * Keeps the driver's loop turning, so that it never sleeps: over loopback the server would pay for waking
 * it, once for each ping that is sent alone, and not at all for those that are sent in a crowd.
 */
async function awake<T>(measure: () => Promise<T>): Promise<T> {
  let turning = setImmediate(function turn() {
    turning = setImmediate(turn)
  })
  try {
    return await measure()
  } finally {
    clearImmediate(turning)
  }
}

export const idleHeartbeat: Scenario = {
  name: 'idle-heartbeat',
  title: '10,000 connections that are kept alive, and nothing else',
  entrants: { ours: 'sweep', sweep: null, 'sweep, spread': 'sweep', timers: 'sweep' },
  figures: { [CPU]: 'µs', [WORST]: 'ms', [LOST]: '' },
  targets: [ratio(CPU, 1.05, 2.5), value(WORST, 15, 100), value(LOST, 0, 0)],
  settings: SETTINGS,
  async measure(server, size) {
    const { interval } = SETTINGS
    const crowd = await Crowd.open(server, CONNECTIONS * size)
    const cpu = await awake(async () => {
      await pause(WARM_UP * interval)
      // A round is a ping to each: who pings later gains nothing by that.
      return crowd.cpuOfPing(server, MEASURED * interval)
    })
    // The bystander is work for the server too.
    const worsts = await worstTrips(server, WATCHED, interval)
    const { lost } = crowd
    crowd.leave()
    return { [CPU]: cpu, [WORST]: spread(worsts).median, [LOST]: lost }
  },
}
