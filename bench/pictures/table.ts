/** A table of a document: what the plugin costs, or gains, beside what it is compared with; or what many cost. */
import { find, type Results } from '../harness/results.js'
import { quantity, times, withSpread } from './words.js'

export interface Table {
  /** Of its place in a document. */
  readonly name: string
  readonly rows: readonly Row[]
  /** Of ours alone: what one costs, and what so many cost. */
  readonly count?: number
}

export interface Row {
  readonly what: string
  readonly scenario: string
  readonly figure: string
  /** @default 'ours' */
  readonly contestant?: string
}

const NUMBER = new Intl.NumberFormat('en')
const HEAD = ['', 'bare `@fastify/websocket`', 'this plugin', 'ratio (least to most)']

export function markdownOf({ rows, count }: Table, results: Results): string {
  if (count === undefined) {
    return aligned(
      HEAD,
      rows.map((row) => compared(row, results)),
    )
  }
  return aligned(
    ['', 'of one', `of ${NUMBER.format(count)}`],
    rows.map((row) => multiplied(row, count, results)),
  )
}

function compared(
  { what, scenario, figure, contestant = 'ours' }: Row,
  { results }: Results,
): string[] {
  const { value, unit, against, ratio } = find(results, { scenario, figure, contestant })
  if (against === undefined || ratio === undefined) {
    return [what, '–', quantity(value.median, unit), '–']
  }
  const other = find(results, { scenario, figure, contestant: against })
  return [
    what,
    quantity(other.value.median, unit) + (against.startsWith('bare') ? '' : ` (${against})`),
    quantity(value.median, unit),
    withSpread(ratio, times),
  ]
}

function multiplied(
  { what, scenario, figure, contestant = 'ours' }: Row,
  count: number,
  { results }: Results,
): string[] {
  const { value, unit } = find(results, { scenario, figure, contestant })
  return [what, quantity(value.median, unit), quantity(value.median * count, unit)]
}

/** In the columns that the formatter would make of it. */
function aligned(head: readonly string[], rows: readonly string[][]): string {
  const lines = [head, head.map(() => ''), ...rows]
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines
    .map((line, index) => {
      const padded = widths.map((width, column) =>
        index === 1 ? '-'.repeat(width) : (line[column] ?? '').padEnd(width),
      )
      return `| ${padded.join(' | ')} |`
    })
    .join('\n')
}
