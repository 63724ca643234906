/** What it takes to keep many idle connections alive, and what others notice of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { stayAwake } from '../harness/awake.js'
import { worstTrips } from '../harness/bystander.js'
import { Crowd } from '../harness/crowd.js'
import type { Scenario } from '../harness/scenario.js'
import { spread } from '../harness/spread.js'

/**
 * Shorter than the defaults of ours, 25 s and 20 s, so that the rounds of a run are many; the timeout
 * gives an interval as many ticks as it has with them (25).
 */
const SIZES = {
  full: { count: 10_000, interval: 2_000, timeout: 800 },
  quick: { count: 2_000, interval: 1_000, timeout: 400 },
}
/** Intervals. The first pings of ours have left after one, its second ones after two. */
const WARM_UP = 1.5
const MEASURED = 2
const WATCHED = 3

const CPU = 'CPU a connection and round'
const WORST = 'worst echo round trip of a bystander'
const LOST = 'healthy peers cut off'

export const idleHeartbeats: Scenario = {
  name: 'idle-heartbeat',
  title: '10,000 connections that are kept alive, and nothing else',
  entrants: [
    { name: 'ours', against: 'sweep' },
    { name: 'sweep' },
    { name: 'sweep, spread', against: 'sweep' },
    { name: 'timers', against: 'sweep' },
  ],
  figures: [
    { name: CPU, unit: 'µs', better: 'less' },
    { name: WORST, unit: 'ms', better: 'less' },
    { name: LOST, unit: '', better: 'less' },
  ],
  targets: [
    { contestant: 'ours', figure: CPU, of: 'ratio', goal: 1.05, bound: 2.5 },
    { contestant: 'ours', figure: WORST, of: 'value', goal: 15, bound: 100 },
    { contestant: 'ours', figure: LOST, of: 'value', goal: 0, bound: 0 },
  ],
  settings: (size) => SIZES[size],
  async measure(server, size) {
    const { count, interval } = SIZES[size]
    const crowd = await Crowd.open(server, count)
    const sleep = stayAwake()
    await pause(WARM_UP * interval)
    // A round is a ping to each: who pings later gains nothing by that.
    const cpu = await crowd.cpuOfPing(server, MEASURED * interval)
    sleep()
    // The bystander is work for the server too.
    const worsts = await worstTrips(server, WATCHED, interval)
    const { lost } = crowd
    crowd.leave()
    return { [CPU]: cpu, [WORST]: spread(worsts).median, [LOST]: lost }
  },
}
