// One server in chaos, with everything on: whether all that is promised of it holds. Prints counts, and ends with 1 if
// anything does not.
//   npm run chaos -- --minutes 10 --seed 42
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Judgement } from '../judgement.js'
import { reportOf, tableOf } from '../table.js'
import { count } from './counts.js'
import { Crowd } from './peers/crowd.js'
import { play } from './play.js'
import { judge } from './verdict.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    peers: { type: 'string', default: '300' },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const peers = Number(values.peers)
if (!(minutes > 0) || !Number.isSafeInteger(seed) || !(peers >= Crowd.healthy)) {
  const how = JSON.stringify(values)
  throw new Error(`Expected numbers, and ${Crowd.healthy} peers at least, got ${how}`)
}
const how = `--minutes ${minutes} --seed ${seed} --peers ${peers}`
console.log(`npm run chaos -- ${how}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const story = await play({ minutes, seed, peers })
const table = new Judgement()
count(story, table)
console.log(tableOf(table))
const judgement = judge(story)
if (judgement.violations.length > 0) {
  console.log(reportOf(judgement))
  console.log(`${judgement.violations.length} violations
again: npm run chaos -- ${how}`)
}
process.exit(judgement.violations.length === 0 ? 0 : 1)
