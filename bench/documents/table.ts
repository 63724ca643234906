/** A table of a document: ours beside what it is compared with, or what many cost. */
import { find, type Results } from '../harness/results.js'
import type { Table } from './declared.js'
import { quantity, times, withSpread } from './numbers.js'

const COMPARED = ['', 'bare `@fastify/websocket`', 'this plugin', 'ratio (least to most)']

export function markdownOf({ rows, count }: Table, { results }: Results): string {
  const head = count === undefined ? COMPARED : ['', 'of one', `of ${count.toLocaleString('en')}`]
  const cells = rows.map(({ heading, ...wanted }) => {
    const { value, unit, against, ratio } = find(results, wanted)
    const own = quantity(value.median, unit)
    if (count !== undefined) return [heading, own, quantity(value.median * count, unit)]
    if (against === undefined || ratio === undefined) throw new Error(`No ratio of ${heading}`)
    const other = quantity(find(results, { ...wanted, contestant: against }).value.median, unit)
    const by = against.startsWith('bare') ? '' : ` (${against})`
    return [heading, other + by, own, withSpread(ratio, times)]
  })
  // In the columns that the formatter would make of it.
  const widths = head.map((_, column) =>
    Math.max(...[head, ...cells].map((row) => row[column]?.length ?? 0)),
  )
  return [head, widths.map((width) => '-'.repeat(width)), ...cells]
    .map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
    .join('\n')
}
