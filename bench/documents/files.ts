/** What is made of the results: a file for each picture, and what documents quote between two comments. */
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { find, fromJson, type Results } from '../harness/results.js'
import { SCENARIOS } from '../scenarios/all.js'
import { COSTS_OF_MANY } from '../scenarios/growth.js'
import { draw } from './chart.js'
import { columnsOf, inWords, quantity, times, withSpread } from './numbers.js'

export const ROOT = new URL('../../', import.meta.url)
export const FOLDER = 'docs/performance'
/** Those that may quote. */
export const DOCUMENTS = readdirSync(new URL('docs', ROOT))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .concat('README.md')
const QUOTE = /(<!-- bench:begin ([\w-]+) -->\n)[^]*?(\n<!-- bench:end -->)/g

function read(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns what documents may quote, by name, and what has to be in each file, by its path from the root */
export function made() {
  const results = fromJson(read('bench/results.json'))
  const files = new Map<string, string>()
  const quotes = new Map([
    ['ratios', ratios(results)],
    ['million', costs(results, 1_000_000)],
  ])
  for (const scenario of SCENARIOS) {
    const { name, picture } = scenario
    if (picture === undefined) continue
    const pictured = { ...scenario, picture }
    const columns = columnsOf(pictured, results)
    const path = `${FOLDER}/${name}.svg`
    files.set(path, draw(pictured, columns, results))
    quotes.set(name, `![${picture.title}. ${inWords(columns)}](${path})`)
  }
  for (const path of DOCUMENTS) {
    // A link is relative to its document.
    const folder = posix.relative(posix.dirname(path), FOLDER)
    files.set(path, quoted(read(path), quotes).replaceAll(`](${FOLDER}/`, `](${folder}/`))
  }
  return { files, quotes }
}

/** @throws if the document quotes what there is not */
export function quoted(document: string, quotes: ReadonlyMap<string, string>): string {
  return document.replaceAll(QUOTE, (_all, begin: string, name: string, end: string) => {
    const quote = quotes.get(name)
    if (quote) return `${begin}\n${quote}\n${end}`
    throw new Error(`Expected one of ${[...quotes.keys()].join(', ')}, got ${name}`)
  })
}

/** @returns the names of what it quotes */
export function quotesOf(document: string): string[] {
  return [...document.matchAll(QUOTE)].map(([, , name = '']) => name)
}

/** Ours beside others, wherever the gate has a bound. */
function ratios({ results }: Results): string {
  const rows = SCENARIOS.flatMap(({ entrants, name: scenario, targets }) =>
    targets
      .filter(({ of, bound }) => of === 'ratio' && bound !== undefined)
      .filter(({ contestant }) => entrants[contestant]?.startsWith('ours') !== true)
      .map(({ figure, contestant, goal }) => {
        const { value, unit, against = '', ratio } = find(results, { scenario, figure, contestant })
        const other = find(results, { scenario, figure, contestant: against })
        return [
          `${scenario}: ${figure}${contestant.replace('ours', '')}`,
          `${quantity(other.value.median, unit)}${against.startsWith('bare') ? '' : ` (${against})`}`,
          quantity(value.median, unit),
          ratio ? withSpread(ratio, times) : '',
          times(goal),
        ]
      }),
  )
  return markdown([['', 'bare', 'this plugin', 'ratio (least to most)', 'our goal'], ...rows])
}

/** What one connection of ours costs among many, and what so many cost. */
function costs({ results }: Results, count: number): string {
  const rows = COSTS_OF_MANY.map(({ scenario, figure }) => {
    const { value, unit } = find(results, { scenario, figure, contestant: 'ours' })
    return [figure, quantity(value.median, unit), quantity(value.median * count, unit)]
  })
  return markdown([['', 'of one', `of ${count.toLocaleString('en')}`], ...rows])
}

/** A table with its columns as wide as the formatter makes them. */
function markdown([head = [], ...rows]: readonly string[][]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  return [head, widths.map((width) => '-'.repeat(width)), ...rows]
    .map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
    .join('\n')
}
