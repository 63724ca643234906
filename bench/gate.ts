/**
 * `npm run bench:gate`: has a change made the plugin slower? Small sizes, few rounds, and bounds that a
 * noisy machine keeps; what misses one of them gets a second try, with more rounds.
 */
import { onFastify } from './harness/contestants.js'
import { boundsMissed, type Miss, table } from './harness/report.js'
import { runRounds } from './harness/rounds.js'
import type { Scenario, Target } from './harness/scenario.js'
import { churn } from './scenarios/churn.js'
import { echoesOfTheGate } from './scenarios/echo.js'
import { memory } from './scenarios/memory.js'

const GATED = [echoesOfTheGate, churn, memory]
const TRIES = [5, 7]

/** Without the contestants that these targets do not speak of, and that nobody is compared with. */
function reduced(scenario: Scenario, targets: readonly Target[]): Scenario {
  const named = new Set(targets.map(({ contestant }) => contestant))
  const compared = scenario.entrants.filter(({ name }) => named.has(name))
  const needed = new Set([...named, ...compared.map(({ against }) => against)])
  return {
    ...scenario,
    targets,
    entrants: scenario.entrants.filter(({ name }) => needed.has(name)),
  }
}

async function misses(scenario: Scenario, rounds: number): Promise<Miss[]> {
  const contestants = new Map(scenario.entrants.map(({ name }) => [name, onFastify(name)]))
  const results = await runRounds(scenario, contestants, rounds, 'quick')
  console.log(table({ ...scenario, targets: [] }, results)) // small sizes say nothing of goals
  return boundsMissed(scenario.targets, results)
}

let failures = 0
for (const scenario of GATED) {
  let left = scenario.targets.filter(({ bound }) => bound !== undefined)
  for (const rounds of TRIES) {
    const missing = await misses(reduced(scenario, left), rounds)
    for (const { how } of missing) console.log(`  bound missed: ${how}`)
    left = missing.map(({ target }) => target)
    if (left.length === 0) break
  }
  failures += left.length
}
console.log(`\n${failures === 0 ? 'All bounds hold.' : `${failures} bounds missed, twice.`}`)
process.exitCode = failures === 0 ? 0 : 1
