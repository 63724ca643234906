// One server in chaos, with everything on: whether all that is promised of it holds. Prints counts, and ends with 1 if
// anything does not.
//   npm run chaos -- --minutes 10 --seed 42
//   npm run chaos -- --opens 1000000 --minutes 15
// `--write` puts the figures into docs/reliability.md.
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Judgement } from '../judgement.js'
import { reportOf, tableOf } from '../table.js'
import { countOpens, countStorm } from './counts.js'
import { write } from './figures.js'
import { openMany } from './opens.js'
import { Crowd } from './peers/crowd.js'
import { play } from './play.js'
import { judge, judgeOpens } from './verdict.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    peers: { type: 'string', default: '300' },
    opens: { type: 'string', default: '0' },
    write: { type: 'boolean', default: false },
  },
})
const [seed, peers, opens] = [values.seed, values.peers, values.opens].map(Number) as [
  number,
  number,
  number,
]
const minutes = Number(values.minutes ?? (opens > 0 ? Infinity : 1))
if (!(minutes > 0) || ![seed, peers, opens].every(Number.isSafeInteger) || peers < Crowd.healthy) {
  const given = JSON.stringify(values)
  throw new Error(`Expected numbers, and ${Crowd.healthy} peers at least, got ${given}`)
}
/** Very many may take too long. */
const limit = minutes < Infinity ? ` --minutes ${minutes}` : ''
const command =
  opens > 0
    ? `npm run chaos -- --opens ${opens} --seed ${seed}${limit}`
    : `npm run chaos -- --minutes ${minutes} --seed ${seed} --peers ${peers}`
console.log(command)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const judgement = await (opens > 0 ? runOpens() : runStorm())
console.log(tableOf(judgement))
if (judgement.violations.length > 0) {
  console.log(reportOf(judgement))
  console.log(`${judgement.violations.length} violations\nagain: ${command}`)
}
if (values.write) write(opens > 0 ? 'opens' : 'storm', command, judgement)
process.exit(judgement.violations.length === 0 ? 0 : 1)

async function runStorm(): Promise<Judgement> {
  const story = await play({ minutes, seed, peers })
  const judgement = judge(story)
  countStorm(story, judgement)
  return judgement
}

async function runOpens(): Promise<Judgement> {
  const story = await openMany(opens, minutes, seed, ({ opened, bytes }) => {
    console.log(`${opened} opened and closed: ${Math.round(bytes / 1024)} KiB`)
  })
  const judgement = judgeOpens(story)
  countOpens(story, judgement)
  return judgement
}
