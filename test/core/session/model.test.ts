// The numbers of a session, over lines that die. `SCHEDULES=1000000` runs more of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEED } from '../../support/models/runs.js'
import { RULES, type Rules } from '../../support/models/session-model.js'
import { Schedule } from '../../support/models/session-schedule.js'

const SCHEDULES = Number(process.env['SCHEDULES'] ?? 10_000)
/** `SEED=7` plays others; a failure tells its own. */
const FIRST_SEED = SEED * 10_000_000

/** @returns what went wrong */
function faultOf(rules: Rules, seed: number): string | undefined {
  try {
    new Schedule(rules, seed).run()
    return undefined
  } catch (error) {
    if (error instanceof assert.AssertionError) return `seed ${seed}: ${error.message}`
    throw error
  }
}

test('whatever lines die, and whenever who notices it, all arrives once and in order', () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
    assert.equal(faultOf(RULES, seed), undefined)
  }
})

const MUTANTS: ReadonlyArray<readonly [keyof Rules, string]> = [
  ['numbersAttempts', 'an attempt that comes late displaces a newer one'],
  ['ignoresSuperseded', 'what a superseded connection brings counts'],
  ['dropsListeners', 'the client listens to connections that it has let go of'],
  ['confirmsInTheApp', 'pongs confirm what the app has never got'],
]

for (const [rule, what] of MUTANTS) {
  test(`a rule is needed, and this model sees it: ${what}`, () => {
    const seeds = Array.from({ length: 500 }, (_, index) => FIRST_SEED + index)
    const faults = seeds.filter((seed) => faultOf({ ...RULES, [rule]: false }, seed) !== undefined)
    assert.ok(faults.length > 5, `found ${faults.length} times in ${seeds.length}`)
  })
}
