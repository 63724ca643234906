/**
 * Measures, and prints a table: `npm run bench [-- scenario ...]`. All scenarios together also write
 * results.json, and what is made of it; with `--keep` those that are named replace theirs in it.
 * `--against REF` compares with the plugin of another commit instead, and writes nothing.
 * `--size 0.1` takes a tenth of all sizes, to see that all works, and writes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { writeDocuments } from './documents/files.js'
import { against, contestantsAt } from './harness/against.js'
import { type Find, onFastify, others, path } from './harness/contestants.js'
import { thisMachine } from './harness/machine.js'
import { missed, table } from './harness/report.js'
import { fromJson, toJson } from './harness/results.js'
import { type Result, runRounds } from './harness/rounds.js'
import type { Scenario } from './harness/scenario.js'
import { SCENARIOS } from './scenarios/all.js'

const FILE = path('results.json')

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    keep: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    size: { type: 'string', default: '1' },
  },
})
const unknown = positionals.find((name) => !SCENARIOS.some((scenario) => scenario.name === name))
if (unknown !== undefined) {
  throw new Error(`Expected one of ${SCENARIOS.map(({ name }) => name).join(', ')}, got ${unknown}`)
}
const isAll = positionals.length === 0
const scenarios = SCENARIOS.filter(({ name }) => isAll || positionals.includes(name))
if (flags.against === undefined) await measureAll()
else await compare(flags.against)

async function measure(scenario: Scenario, find: Find): Promise<Result[]> {
  const { rounds, size } = flags
  const results = await runRounds(scenario, find, Number(rounds), Number(size))
  console.log(table(scenario, results))
  return results
}

async function compare(ref: string): Promise<void> {
  const find = contestantsAt(ref)
  for (const scenario of scenarios) await measure(against(scenario, ref), find)
}

async function measureAll(): Promise<void> {
  const machine = thisMachine()
  const before = fromJson(readFileSync(FILE, 'utf8'))
  if (flags.keep && !isDeepStrictEqual(before.machine, machine)) {
    throw new Error('Expected the results to keep to be of this machine, with the same versions')
  }
  const leftOut: string[] = []
  const found = others((name, why) => {
    leftOut.push(name)
    console.log(`left out: ${name} (${why.trim()})`)
  })
  const taken: Result[] = []
  for (const scenario of scenarios) {
    const results = await measure(scenario, (name) =>
      leftOut.includes(name) ? undefined : (found.get(name) ?? onFastify(name)),
    )
    taken.push(...results)
    for (const target of scenario.targets) {
      const how = missed(target, results, target.bound)
      if (how === undefined) continue
      console.log(`too slow: ${how}`)
      process.exitCode = 1
    }
  }
  if (flags.size !== '1' || !(isAll || flags.keep)) return
  const results = SCENARIOS.flatMap(({ name }) => {
    const isNew = scenarios.some((scenario) => scenario.name === name)
    return (isNew ? taken : before.results).filter(({ scenario }) => scenario === name)
  })
  const date = new Date().toISOString().slice(0, 10)
  writeFileSync(FILE, toJson({ date, machine, leftOut, results }))
  if (isAll) writeDocuments()
}
