/** What the heartbeat of an idle connection costs beside few others, beside some and beside many. */
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd } from '../harness/crowd.js'
import { ratio, type Scenario, value } from '../harness/scenario.js'
import type { Settings } from '../harness/server.js'
import { figuresOf, growth, measureCrowds, of } from './crowds.js'

/** Few are pinged more often: as much is done for them as for many. */
const PINGS_A_MS = 9
/** ms; no less than one interval of many. */
const WARM_UP = 2_000
const MEASURED = 2_000
const WATCHED = 1_500

const CPU = 'CPU of a ping and its pong'
const STALL = 'worst stall'
const LOST = 'healthy peers cut off'

export const growthOfHeartbeats: Scenario = {
  name: 'growth-heartbeats',
  title: '9,000 pings a second to 1,000 (few), 4,500 (some) and 18,000 (many) idle connections',
  entrants: { sweep: null, ours: 'sweep' },
  figures: figuresOf({ [CPU]: 'µs' }, { [STALL]: 'ms', [LOST]: 'peers' }),
  targets: [
    value(growth(CPU), 1.25, 2.5),
    ratio(of('many', STALL), 0.2),
    value(of('many', LOST), 0, 0),
  ],
  async measure(server, size) {
    const settings = (count: number): Settings => ({ interval: count / (PINGS_A_MS * size) })
    return measureCrowds(server, size, settings, async (own, count) => {
      const crowd = await Crowd.open(own, count)
      await pause(WARM_UP)
      const cpu = await crowd.cpuOfPing(own, MEASURED)
      // The watch takes time of its own: it looks each millisecond.
      await own.watch()
      await pause(WATCHED)
      const stall = await own.worst()
      const { lost } = crowd
      crowd.leave()
      return { [CPU]: cpu, [STALL]: stall, [LOST]: lost }
    })
  },
}
