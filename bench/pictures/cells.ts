/** The numbers of a picture, found in the results. */
import { find, type Results } from '../harness/results.js'
import type { Result } from '../harness/rounds.js'
import type { Scenario, Target } from '../harness/scenario.js'
import type { Spread } from '../harness/spread.js'
import { CROWDS, of as ofCrowd } from '../scenarios/crowds.js'
import { called, type Column, isOurs, type Panel, type Picture } from './picture.js'
import { quantity, times, withSpread } from './words.js'

export interface Cell {
  readonly contestant: string
  readonly spread: Spread
  /** What it has to reach. */
  readonly goal: number | undefined
}

export interface FilledColumn extends Column {
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly rounds: number
  readonly cells: readonly Cell[]
  readonly show: (value: number) => string
}

/** @throws if one of the numbers is missing, but for those of contestants that were left out */
export function fill(
  picture: Picture,
  results: Results,
  scenarios: readonly Scenario[],
): FilledColumn[] {
  if ('panels' in picture) {
    return picture.panels.flatMap((panel) =>
      columnsOf(panel).map((column) =>
        fillColumn(column, ['ours', panel.against], results, scenarios),
      ),
    )
  }
  const present = picture.contestants.filter((name) => !results.leftOut.includes(name))
  return picture.columns.map((column) => fillColumn(column, present, results, scenarios))
}

const SIZES = Object.keys(CROWDS.full) as Array<keyof typeof CROWDS.full>

function columnsOf({ heading, scenario, cost }: Panel): Column[] {
  return SIZES.map((crowd) => ({
    heading: `${heading}, of ${CROWDS.full[crowd].toLocaleString('en')}`,
    scenario,
    figure: ofCrowd(crowd, cost),
    of: 'value',
    scale: 'linear',
  }))
}

function fillColumn(
  column: Column,
  contestants: readonly string[],
  { results }: Results,
  scenarios: readonly Scenario[],
): FilledColumn {
  const scenario = scenarios.find(({ name }) => name === column.scenario)
  const figure = scenario?.figures.find(({ name }) => name === column.figure)
  if (!scenario || !figure) throw new Error(`No figure ${column.scenario}: ${column.figure}`)
  const { unit, better } = figure
  const found = contestants.map((contestant) => find(results, { ...column, contestant }))
  return {
    ...column,
    unit,
    better,
    rounds: Math.min(...found.map(({ rounds }) => rounds)),
    show: column.of === 'ratio' ? times : (value) => quantity(value, unit),
    cells: found.map((result) => cellOf(result, column, scenario.targets)),
  }
}

function cellOf(result: Result, { figure, of }: Column, targets: readonly Target[]): Cell {
  const { contestant } = result
  const spread = result[of]
  if (spread === undefined) throw new Error(`No ratio of ${contestant} in ${figure}`)
  const target = targets.find(
    (each) => each.contestant === contestant && each.figure === figure && each.of === of,
  )
  return { contestant, spread, goal: target?.goal }
}

/** All numbers of a picture, for those who do not see it. */
export function inWords(columns: readonly FilledColumn[]): string {
  return sentences(columns, ({ contestant, spread }, show) => {
    return `${called(contestant)} ${withSpread(spread, show)}`
  })
}

/** How the plugin does, and bare where it is in the picture. */
export function inShort(columns: readonly FilledColumn[]): string {
  return sentences(columns, ({ contestant, spread }, show) => {
    return isOurs(contestant) || contestant === 'bare'
      ? `${called(contestant)} ${show(spread.median)}`
      : undefined
  })
}

function sentences(
  columns: readonly FilledColumn[],
  say: (cell: Cell, show: FilledColumn['show']) => string | undefined,
): string {
  return columns
    .map(({ heading, cells, show, better }) => {
      const said = cells.map((cell) => say(cell, show)).filter((each) => each !== undefined)
      return `${heading} (${better} is better): ${said.join('; ')}.`
    })
    .join(' ')
}
