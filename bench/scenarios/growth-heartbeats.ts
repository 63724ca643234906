/** What the heartbeat of an idle connection costs beside few others, beside some and beside many. */
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd } from '../harness/crowd.js'
import type { Scenario } from '../harness/scenario.js'
import { figuresOf, growth, measureCrowds, of, type Task } from './crowds.js'

/** Few are pinged more often: as much is done for them as for many. */
const PINGS_A_MS = { full: 9, quick: 2 }
/** ms; no less than one interval of many. */
const TIMES = {
  full: { warmUp: 2_000, cpu: 2_000, stall: 1_500 },
  quick: { warmUp: 1_000, cpu: 1_000, stall: 1_000 },
}

const CPU = 'CPU of a ping and its pong'
const STALL = 'worst stall'
const LOST = 'healthy peers cut off'

const TASK: Task = {
  costs: { [CPU]: 'µs' },
  others: { [STALL]: 'ms', [LOST]: 'peers' },
  settings: (count, size) => ({ interval: count / PINGS_A_MS[size] }),
  async measure(server, count, size) {
    const times = TIMES[size]
    const crowd = await Crowd.open(server, count)
    await pause(times.warmUp)
    const cpu = await crowd.cpuOfPing(server, times.cpu)
    // The watch takes time of its own: it looks each millisecond.
    await server.watch()
    await pause(times.stall)
    const stall = await server.worst()
    const { lost } = crowd
    crowd.leave()
    return { [CPU]: cpu, [STALL]: stall, [LOST]: lost }
  },
}

export const growthOfHeartbeats: Scenario = {
  name: 'growth-heartbeats',
  title: '9,000 pings a second to 1,000 (few), 4,500 (some) and 18,000 (many) idle connections',
  entrants: [{ name: 'sweep' }, { name: 'ours', against: 'sweep' }],
  figures: figuresOf(TASK),
  targets: [
    { contestant: 'ours', figure: growth(CPU), of: 'value', goal: 1.25, bound: 2.5 },
    { contestant: 'ours', figure: of('many', STALL), of: 'ratio', goal: 0.2 },
    { contestant: 'ours', figure: of('many', LOST), of: 'value', goal: 0, bound: 0 },
  ],
  measure: (server, size) => measureCrowds(server, size, TASK),
}
