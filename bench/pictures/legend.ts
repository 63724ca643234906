/** What the signs mean, and where the numbers come from. */
import type { Results } from '../harness/results.js'
import type { FilledColumn } from './cells.js'
import { MARGIN } from './layout.js'
import { dot, goalMark, whisker } from './marks.js'
import { line, lines, text } from './svg.js'

interface Entry {
  readonly means: string
  readonly wide: number
  readonly sign: (x: number, y: number) => string
}

/** Of the letters, about; fonts differ. */
const LETTER = 5.4
const SIGN_TO_WORDS = 7
const BETWEEN = 22

export function legend(columns: readonly FilledColumn[], y: number): string {
  let x = MARGIN
  const drawn = entries(columns).map(({ means, wide, sign }) => {
    const words = x + wide + SIGN_TO_WORDS
    const entry = lines(sign(x, y - 4), text('small', words, y, means))
    x = words + means.length * LETTER + BETWEEN
    return entry
  })
  return lines(...drawn)
}

function entries(columns: readonly FilledColumn[]): Entry[] {
  const rounds = Math.min(...columns.map((column) => column.rounds))
  const marks = new Set(columns.flatMap(({ mark }) => (mark === undefined ? [] : [mark.means])))
  const all: Entry[] = [
    { means: 'this plugin', wide: 10, sign: (x, y) => dot('ours', x + 5, y) },
    { means: 'others', wide: 10, sign: (x, y) => dot('other', x + 5, y) },
    {
      means: `median of ${rounds} rounds, least to most`,
      wide: 24,
      sign: (x, y) => lines(whisker('other', x, x + 24, y), dot('other', x + 12, y)),
    },
  ]
  for (const means of marks) {
    all.push({ means, wide: 2, sign: (x, y) => line('mark', x + 1, y - 8, x + 1, y + 8) })
  }
  if (columns.some(({ cells }) => cells.some(({ goal }) => goal !== undefined))) {
    all.push({ means: 'our goal', wide: 2, sign: (x, y) => goalMark(x + 1, y) })
  }
  return all
}

/** The machine; then the versions, the day and who is missing. */
export function origin({ machine, date, leftOut }: Results): [machine: string, others: string] {
  const { cpu, cores, memory, system, versions } = machine
  const numbered = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const missing = leftOut.length > 0 ? [`without ${leftOut.join(', ')}`] : []
  return [
    [cpu, `${cores} cores`, memory, system].join(', '),
    [numbered.join(', '), date, ...missing].join(' · '),
  ]
}
