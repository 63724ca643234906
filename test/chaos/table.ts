import { groupBy, type Judgement } from './judgement.js'

/** How many violations of a rule are shown with their lines. */
const MOST_SHOWN = 6

export function tableOf({ counts }: Judgement): string {
  const width = Math.max(...[...counts.keys()].map(({ length }) => length))
  return [...counts]
    .map(([name, count]) => `${name.padEnd(width)}  ${String(count).padStart(7)}`)
    .join('\n')
}

export function reportOf({ violations }: Judgement): string {
  const lines: string[] = []
  for (const [rule, ofRule] of groupBy(violations, (violation) => violation.rule)) {
    for (const { text, evidence } of ofRule.slice(0, MOST_SHOWN)) {
      lines.push(`${rule}: ${text}`, ...evidence.map((entry) => `    ${lineOf(entry)}`))
    }
    lines.push(`${rule}: ${ofRule.length} in all`)
  }
  return lines.join('\n')
}

function lineOf(entry: object): string {
  return JSON.stringify(entry).slice(0, 1_500)
}
