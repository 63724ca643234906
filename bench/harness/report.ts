/** The table that is printed, and what of it misses its goal or its bound. */
import type { Spread } from './numbers.js'
import type { Result } from './results.js'
import { betterOf, type Scenario, type Target } from './scenario.js'

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false })

function printed({ median, least, most }: Spread): string {
  return `${NUMBER.format(median)} (${NUMBER.format(least)} to ${NUMBER.format(most)})`
}

export function table(scenario: Scenario, results: readonly Result[]): string {
  const width = Math.max(...results.map(({ contestant }) => contestant.length))
  const lines = [`\n${scenario.name}: ${scenario.title}`]
  for (const [figure, unit] of Object.entries(scenario.figures)) {
    lines.push(`  ${figure} (${unit}, ${betterOf(unit)} is better)`)
    for (const { contestant, value, against, ratio, ...result } of results) {
      if (result.figure !== figure) continue
      const compared = ratio ? `${printed(ratio)} of ${against}` : ''
      lines.push(`    ${contestant.padEnd(width)} ${printed(value).padEnd(30)} ${compared}`)
    }
  }
  const misses = scenario.targets.flatMap((target) => missed(target, results, target.goal) ?? [])
  return [...lines, ...misses.map((how) => `  goal missed: ${how}`)].join('\n')
}

/** @returns how a contestant missed `limit`, if it did */
export function missed(
  { contestant, figure, of }: Target,
  results: readonly Result[],
  limit: number | undefined,
): string | undefined {
  if (limit === undefined) return undefined
  const result = results.find((each) => each.contestant === contestant && each.figure === figure)
  const got = result?.[of]
  if (!result || !got) throw new Error(`No ${of} of ${contestant} in ${figure}`)
  const isMore = result.better === 'more'
  if (isMore ? got.median >= limit : got.median <= limit) return undefined
  const expected = `${isMore ? 'at least' : 'at most'} ${limit}`
  return `${contestant}, ${figure}: ${of} ${printed(got)}, expected ${expected}`
}
