/** The table that is printed, and what of it misses its goal or its bound. */
import type { Spread } from './numbers.js'
import { find, type Result } from './results.js'
import { betterOf, type Scenario } from './scenario.js'

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false })

function printed({ median, least, most }: Spread): string {
  return `${NUMBER.format(median)} (${NUMBER.format(least)} to ${NUMBER.format(most)})`
}

export function table(scenario: Scenario, results: readonly Result[]): string {
  const lines = [`\n${scenario.name}: ${scenario.title}`]
  for (const [figure, unit] of Object.entries(scenario.figures)) {
    lines.push(`  ${figure} (${unit}, ${betterOf(unit)} is better)`)
    for (const { contestant, value, against, ratio, ...result } of results) {
      if (result.figure !== figure) continue
      const compared = ratio ? `${printed(ratio)} of ${against}` : ''
      lines.push(`    ${contestant.padEnd(32)} ${printed(value).padEnd(30)} ${compared}`)
    }
  }
  const misses = missed(scenario, results, 'goal').map((how) => `  goal missed: ${how}`)
  return [...lines, ...misses].join('\n')
}

/** @returns how contestants missed their goals, or the bounds that there are */
export function missed(
  { name: scenario, targets }: Pick<Scenario, 'name' | 'targets'>,
  results: readonly Result[],
  kind: 'goal' | 'bound',
): string[] {
  return targets.flatMap(({ contestant, figure, of, [kind]: limit }) => {
    if (limit === undefined) return []
    const { unit, [of]: got } = find(results, { scenario, figure, contestant })
    if (!got) throw new Error(`No ${of} of ${contestant} in ${figure}`)
    const isMore = betterOf(unit) === 'more'
    if (isMore ? got.median >= limit : got.median <= limit) return []
    const expected = `${isMore ? 'at least' : 'at most'} ${limit}`
    return `${contestant}, ${figure}: ${of} ${printed(got)}, expected ${expected}`
  })
}
