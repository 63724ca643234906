// Several nodes in chaos: whether all that is promised of them holds. Prints counts, and ends with 1 if anything does not.
//   npm run chaos:cluster -- --minutes 10 --seed 42
//   npm run chaos:cluster -- --failover
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { play } from './play.js'
import { reportOf, tableOf } from '../table.js'
import { readLedgers } from './ledger.js'
import { judge } from './verdict/verdict.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    failover: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  throw new Error(`Expected numbers, got --minutes ${values.minutes} --seed ${values.seed}`)
}
const how = `--minutes ${minutes} --seed ${seed}${values.failover ? ' --failover' : ''}`
console.log(`npm run chaos:cluster -- ${how}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
const folder = mkdtempSync(join(tmpdir(), 'chaos-cluster-'))
const ledgers = await play({ folder, minutes, seed, hasFailovers: values.failover })
const entries = readLedgers(ledgers)
const judgement = judge(entries)
console.log(tableOf(judgement))
if (judgement.violations.length === 0 && !process.env['KEEP']) rmSync(folder, { recursive: true })
else {
  for (const entry of entries)
    if (entry.what === 'chaos') console.log(Math.round(entry.at), entry.text)
  console.log(reportOf(judgement))
  console.log(`${judgement.violations.length} violations; all ledgers are in ${folder}
again: npm run chaos:cluster -- ${how}`)
}
// Some timers go on.
process.exit(judgement.violations.length === 0 ? 0 : 1)
