/**
 * Measures, and prints a table: `npm run bench [-- scenario ...]`. All scenarios together also write
 * results.json, and draw it; with `--keep` those that are named replace theirs in it.
 * `--against REF` compares with the plugin of another commit instead, and writes nothing.
 * `--size 0.1` takes a tenth of all sizes, to see that all works, and writes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { contestantsAt, type Find, onFastify, others, path } from './harness/contestants.js'
import { missed, table } from './harness/report.js'
import { fromJson, type Result, thisMachine, toJson } from './harness/results.js'
import { runRounds } from './harness/rounds.js'
import type { Scenario } from './harness/scenario.js'
import { SCENARIOS } from './scenarios/all.js'

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    keep: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    size: { type: 'string', default: '1' },
  },
})
const known = SCENARIOS.map(({ name }) => name)
const unknown = names.find((name) => !known.includes(name))
if (unknown) throw new Error(`Expected one of ${known.join(', ')}, got ${unknown}`)
const isAll = names.length === 0
const scenarios = SCENARIOS.filter(({ name }) => isAll || names.includes(name))
if (flags.against === undefined) await measureAll()
else await compare(flags.against)

async function measure(scenario: Scenario, find: Find): Promise<Result[]> {
  const results = await runRounds(scenario, find, Number(flags.rounds), Number(flags.size))
  console.log(table(scenario, results))
  return results
}

/** Ours and no others, each beside itself at another commit. */
async function compare(ref: string): Promise<void> {
  const find = contestantsAt(ref)
  for (const scenario of scenarios) {
    const ours = Object.keys(scenario.entrants).filter((name) => name.startsWith('ours'))
    const pairs = ours.flatMap((name) => [
      [`${name} at ${ref}`, null],
      [name, `${name} at ${ref}`],
    ])
    const entrants = Object.fromEntries(pairs) as Scenario['entrants']
    await measure({ ...scenario, entrants, targets: [] }, find)
  }
}

async function measureAll(): Promise<void> {
  const file = path('results.json')
  const machine = thisMachine()
  const before = fromJson(readFileSync(file, 'utf8'))
  if (flags.keep && !isDeepStrictEqual(before.machine, machine)) {
    throw new Error('Expected the results to keep to be of this machine, with the same versions')
  }
  const found = others()
  const find: Find = (name) => (found.has(name) ? found.get(name) : onFastify(name))
  const taken = new Map<string, readonly Result[]>()
  for (const scenario of scenarios) {
    const results = await measure(scenario, find)
    taken.set(scenario.name, results)
    const misses = missed(scenario, results, 'bound')
    for (const how of misses) console.log(`too slow: ${how}`)
    if (misses.length > 0) process.exitCode = 1
  }
  if (flags.size !== '1' || !(isAll || flags.keep)) return
  const results = known.flatMap(
    (name) => taken.get(name) ?? before.results.filter(({ scenario }) => scenario === name),
  )
  const leftOut = [...found.keys()].filter((name) => found.get(name) === undefined)
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(file, toJson({ date, machine, leftOut, results }))
  if (isAll) await import('./draw.js')
}
