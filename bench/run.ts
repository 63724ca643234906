/**
 * Measures, and prints a table: `npm run bench [-- scenario ...]`. All scenarios together also write
 * results.json, and what is made of it; with `--keep` those that are named replace theirs in it.
 * `--quick` takes small sizes, to see that all works.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { lineUp } from './harness/contestants.js'
import { thisMachine } from './harness/machine.js'
import { boundsMissed, type Miss, table } from './harness/report.js'
import { fromJson, type Results, toJson } from './harness/results.js'
import { type Result, runRounds } from './harness/rounds.js'
import { writeDocuments } from './documents/files.js'
import { SCENARIOS } from './scenarios/all.js'

const FILE = new URL('results.json', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    keep: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
  },
})
for (const name of positionals) {
  if (!SCENARIOS.some((scenario) => scenario.name === name)) {
    throw new Error(`Expected one of ${SCENARIOS.map((each) => each.name).join(', ')}, got ${name}`)
  }
}
const isAll = positionals.length === 0
const names = isAll ? SCENARIOS.map(({ name }) => name) : positionals
const machine = thisMachine()
const kept = values.keep ? othersResults() : []

function othersResults(): readonly Result[] {
  if (!existsSync(FILE)) return []
  const before = fromJson(readFileSync(FILE, 'utf8'))
  if (!isDeepStrictEqual(before.machine, machine)) {
    throw new Error('Expected the results to keep to be of this machine, with the same versions')
  }
  return before.results.filter(({ scenario }) => !names.includes(scenario))
}

const leftOut: string[] = []
const contestants = lineUp((name, why) => {
  leftOut.push(name)
  console.log(`left out: ${name} (${why.trim()})`)
})
const byName = new Map(contestants.map((contestant) => [contestant.name, contestant]))

const taken: Result[] = []
const misses: Miss[] = []
for (const scenario of SCENARIOS) {
  if (!names.includes(scenario.name)) continue
  const size = values.quick ? 'quick' : 'full'
  const results = await runRounds(scenario, byName, Number(values.rounds), size)
  taken.push(...results)
  console.log(table(scenario, results))
  misses.push(...boundsMissed(scenario.targets, results))
}

if (!values.quick && (isAll || values.keep)) {
  const all = [...kept, ...taken]
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    leftOut,
    results: SCENARIOS.flatMap(({ name }) => all.filter(({ scenario }) => scenario === name)),
  }
  writeFileSync(FILE, toJson(results))
  if (isAll) writeDocuments()
}
for (const { how } of misses) console.log(`too slow: ${how}`)
process.exitCode = misses.length > 0 ? 1 : 0
