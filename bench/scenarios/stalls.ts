/** Whether a server whose own loop stands still blames its peers. */
import { setTimeout as pause } from 'node:timers/promises'
import { Crowd } from '../harness/crowd.js'
import { sequence } from '../harness/numbers.js'
import { type Scenario, value } from '../harness/scenario.js'

const COUNT = 500
/** In the proportion of the defaults of ours. */
const SETTINGS = { interval: 600, timeout: 480 }
const STALLS = 9
/** Intervals until all have been pinged. */
const WARM_UP = 1.2
/** Intervals. A gap below 0 is none: heavy requests may wait in line. */
const LENGTH = { least: 0.3, most: 2.5 }
const GAP = { least: -0.5, most: 1 }

const LOST = 'healthy peers cut off, of 500'

export const stalls: Scenario = {
  name: 'stalls',
  title:
    'peers that answer at once, and a server whose loop stands still for 0.3 to 2.5 intervals at random',
  entrants: { sweep: null, timers: null, ours: null },
  figures: { [LOST]: '' },
  targets: [value(LOST, 0, 0)],
  settings: SETTINGS,
  async measure(server, size) {
    const { interval, timeout } = SETTINGS
    const random = sequence()
    const between = ({ least, most }: typeof LENGTH): number =>
      (least + random() * (most - least)) * interval
    const crowd = await Crowd.open(server, COUNT)
    await pause(WARM_UP * interval)
    for (let i = 0; i < STALLS * size; i++) {
      const gap = between(GAP)
      if (gap > 0) await pause(gap)
      await server.ask('stall', between(LENGTH))
    }
    // Until the last verdict has been spoken.
    await pause(2 * interval + timeout)
    const { lost } = crowd
    crowd.leave()
    return { [LOST]: lost }
  },
}
