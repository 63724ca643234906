/**
 * `npm run bench:gate`: has a change made the plugin slower? Small sizes, few rounds, and bounds that
 * hold on a noisy machine; where one of them is missed, all of the scenario is measured once more.
 */
import { onFastify } from './harness/contestants.js'
import { missed, table } from './harness/report.js'
import { runRounds } from './harness/rounds.js'
import { churn, memory } from './scenarios/connections.js'
import { dashboardOfTheGate, echoOfTheGate, metricsOfTheGate } from './scenarios/echo.js'
import { groupsOfTheGate } from './scenarios/groups.js'
import { sessionMemoryOfTheGate, sessionsOfTheGate } from './scenarios/sessions.js'

/** Of what is published. */
const SIZE = 0.4
/** Those that the bounds of `churn` and `memory` are about. */
const entrants = { bare: null, ours: 'bare' }

let failures = 0
const SCENARIOS = [
  echoOfTheGate,
  metricsOfTheGate,
  dashboardOfTheGate,
  sessionsOfTheGate,
  { ...churn, entrants },
  { ...memory, entrants },
  sessionMemoryOfTheGate,
  ...groupsOfTheGate,
]
for (const scenario of SCENARIOS) {
  let left = scenario.targets
  for (const rounds of [5, 7]) {
    const results = await runRounds(scenario, onFastify, rounds, SIZE)
    console.log(table({ ...scenario, targets: [] }, results)) // small sizes say nothing of goals
    left = left.filter((target) => {
      const misses = missed({ ...scenario, targets: [target] }, results, 'bound')
      for (const how of misses) console.log(`  bound missed: ${how}`)
      return misses.length > 0
    })
    if (left.length === 0) break
  }
  failures += left.length
}
console.log(`\n${failures === 0 ? 'All bounds hold.' : `${failures} bounds missed, twice.`}`)
process.exitCode = failures === 0 ? 0 : 1
