/**
 * `npm run bench:gate`: has a change made the plugin slower? Small sizes, few rounds, and bounds that
 * hold on a noisy machine; what misses one of them is measured once more, with more rounds.
 */
import { onFastify } from './harness/contestants.js'
import { missed, table } from './harness/report.js'
import { runRounds } from './harness/rounds.js'
import { churn, memory } from './scenarios/connections.js'
import { echoOfTheGate } from './scenarios/echo.js'

/** Of what is published. */
const SIZE = 0.4
/** Those that the bounds of `churn` and `memory` are about. */
const entrants = { bare: null, ours: 'bare' }

let failures = 0
for (const scenario of [echoOfTheGate, { ...churn, entrants }, { ...memory, entrants }]) {
  let left = scenario.targets
  for (const rounds of [5, 7]) {
    const results = await runRounds(scenario, onFastify, rounds, SIZE)
    console.log(table({ ...scenario, targets: [] }, results)) // small sizes say nothing of goals
    left = left.filter((target) => {
      const how = missed(target, results, target.bound)
      if (how !== undefined) console.log(`  bound missed: ${how}`)
      return how !== undefined
    })
    if (left.length === 0) break
  }
  failures += left.length
}
console.log(`\n${failures === 0 ? 'All bounds hold.' : `${failures} bounds missed, twice.`}`)
process.exitCode = failures === 0 ? 0 : 1
