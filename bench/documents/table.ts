/** A table of a document: what the plugin costs, or gains, beside what it is compared with; or what many cost. */
import { find, type Results } from '../harness/results.js'
import type { Row, Table } from './declared.js'
import { quantity, times, withSpread } from './words.js'

const COMPARED = ['', 'bare `@fastify/websocket`', 'this plugin', 'ratio (least to most)']

export function markdownOf({ rows, count }: Table, results: Results): string {
  if (count === undefined) return aligned([COMPARED, ...rows.map((row) => compared(row, results))])
  const head = ['', 'of one', `of ${count.toLocaleString('en')}`]
  return aligned([head, ...rows.map((row) => multiplied(row, count, results))])
}

function compared({ what, ...wanted }: Row, { results }: Results): string[] {
  const { value, unit, against, ratio } = find(results, wanted)
  if (against === undefined || ratio === undefined) throw new Error(`No ratio of ${what}`)
  const other = find(results, { ...wanted, contestant: against })
  return [
    what,
    quantity(other.value.median, unit) + (against.startsWith('bare') ? '' : ` (${against})`),
    quantity(value.median, unit),
    withSpread(ratio, times),
  ]
}

function multiplied({ what, ...wanted }: Row, count: number, { results }: Results): string[] {
  const { value, unit } = find(results, wanted)
  return [what, quantity(value.median, unit), quantity(value.median * count, unit)]
}

/** In the columns that the formatter would make of it. */
function aligned([head = [], ...rows]: readonly string[][]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  const rule = widths.map((width) => '-'.repeat(width))
  return [head, rule, ...rows]
    .map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
    .join('\n')
}
