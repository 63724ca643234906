/** The table that is printed, and what of it misses its goal or its bound. */
import type { Result } from './rounds.js'
import type { Scenario, Target } from './scenario.js'
import type { Spread } from './spread.js'

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false })

export function printed({ median, least, most }: Spread): string {
  const [a, b, c] = [median, least, most].map((value) => NUMBER.format(value))
  return `${a} (${b} to ${c})`
}

export function table(scenario: Scenario, results: readonly Result[]): string {
  const lines = [`\n${scenario.name}: ${scenario.title}`]
  for (const figure of scenario.figures) {
    lines.push(`  ${figure.name} (${figure.unit}, ${figure.better} is better)`)
    for (const result of results) {
      if (result.figure !== figure.name) continue
      const { contestant, value, against, ratio } = result
      const compared = ratio ? `${printed(ratio)} of ${against}` : ''
      lines.push(`    ${contestant.padEnd(22)} ${printed(value).padEnd(30)} ${compared}`)
    }
  }
  for (const target of scenario.targets) {
    const miss = missed(target, results, target.goal)
    if (miss !== undefined) lines.push(`  goal missed: ${miss}`)
  }
  return lines.join('\n')
}

export interface Miss {
  readonly target: Target
  readonly how: string
}

/** @returns the targets whose bound was missed */
export function boundsMissed(targets: readonly Target[], results: readonly Result[]): Miss[] {
  return targets.flatMap((target) => {
    const how = target.bound === undefined ? undefined : missed(target, results, target.bound)
    return how === undefined ? [] : [{ target, how }]
  })
}

/** @returns how a contestant missed `limit`, if it did */
export function missed(
  { contestant, figure, of }: Target,
  results: readonly Result[],
  limit: number,
): string | undefined {
  const result = results.find((each) => each.contestant === contestant && each.figure === figure)
  if (result === undefined) throw new Error(`No figure ${figure} of ${contestant}`)
  const got = of === 'ratio' ? result.ratio : result.value
  if (got === undefined) throw new Error(`No ratio of ${contestant} in ${figure}`)
  const isMet = result.better === 'more' ? got.median >= limit : got.median <= limit
  if (isMet) return undefined
  const most = result.better === 'more' ? 'at least' : 'at most'
  return `${contestant}, ${figure}: ${of} ${printed(got)}, expected ${most} ${limit}`
}
