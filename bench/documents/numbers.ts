/** The numbers of a picture, found in the results. */
import { find, type Results } from '../harness/results.js'
import type { Spread } from '../harness/numbers.js'
import { betterOf, type Scenario } from '../harness/scenario.js'
import { called, type Column, type Picture } from './declared.js'
import { quantity, times } from './words.js'

export interface Cell {
  readonly contestant: string
  readonly spread: Spread
  /** What it has to reach. */
  readonly goal: number | undefined
}

export interface Numbers extends Column {
  readonly better: 'more' | 'less'
  readonly rounds: number
  readonly cells: readonly Cell[]
  readonly show: (value: number) => string
}

/** @throws if one of the numbers is missing, but for those of contestants that were left out */
export function numbersOf(
  { contestants, columns }: Picture,
  { results, leftOut }: Results,
  scenarios: readonly Scenario[],
): Numbers[] {
  return columns.map((column) => {
    const { scenario: name, figure, of } = column
    const scenario = scenarios.find((each) => each.name === name)
    const unit = scenario?.figures[figure]
    if (scenario === undefined || unit === undefined)
      throw new Error(`No figure ${name}: ${figure}`)
    const found = contestants
      .filter((each) => each in scenario.entrants && !leftOut.includes(each))
      .map((contestant) => find(results, { scenario: name, figure, contestant }))
    return {
      ...column,
      better: betterOf(unit),
      rounds: Math.min(...found.map(({ rounds }) => rounds)),
      show: of === 'ratio' ? times : (value) => quantity(value, unit),
      cells: found.map(({ contestant, [of]: spread }) => {
        if (spread === undefined) throw new Error(`No ratio of ${contestant} in ${figure}`)
        const target = scenario.targets.find(
          (each) => each.contestant === contestant && each.figure === figure && each.of === of,
        )
        return { contestant, spread, goal: target?.goal }
      }),
    }
  })
}

/** How the plugin does, and bare where it is in the picture, for those who do not see it. */
export function inWords(columns: readonly Numbers[]): string {
  return columns
    .map(({ heading, cost, cells, show, better }) => {
      const said = cells
        .filter(({ contestant }) => isOurs(contestant) || contestant === 'bare')
        .map(({ contestant, spread }) => `${called(contestant)} ${show(spread.median)}`)
      const of = cost === undefined ? heading : `${cost}, ${heading}`
      return `${of} (${better} is better): ${said.join('; ')}.`
    })
    .join(' ')
}

export function isOurs(contestant: string): boolean {
  return contestant.startsWith('ours')
}
