/**
 * `npm run bench:gate`: has a change made the plugin slower? Small sizes, few rounds, and bounds that a
 * noisy machine keeps; what misses one of them gets a second try, with more rounds.
 */
import { onFastify } from './harness/contestants.js'
import { missed, table } from './harness/report.js'
import { runRounds } from './harness/rounds.js'
import type { Scenario } from './harness/scenario.js'
import { churn } from './scenarios/churn.js'
import { echoOfTheGate } from './scenarios/echo.js'
import { memory } from './scenarios/memory.js'

/** Of what is published. */
const SIZE = 0.4

/** Without the contestants that no bound speaks of, and that nobody is compared with. */
function reduced(scenario: Scenario): Scenario {
  const bounded = new Set(scenario.targets.map(({ contestant }) => contestant))
  const all = Object.entries(scenario.entrants)
  const needed = new Set(
    all.flatMap(([name, against]) => (bounded.has(name) ? [name, against] : [])),
  )
  return { ...scenario, entrants: Object.fromEntries(all.filter(([name]) => needed.has(name))) }
}

let failures = 0
for (const scenario of [echoOfTheGate, churn, memory]) {
  let left = scenario.targets
  for (const rounds of [5, 7]) {
    const results = await runRounds(
      reduced({ ...scenario, targets: left }),
      onFastify,
      rounds,
      SIZE,
    )
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
