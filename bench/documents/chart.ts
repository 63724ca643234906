/** A picture as SVG: for each column a bar for each contestant, three columns beside each other. */
import type { Results } from '../harness/results.js'
import { called, type Picture } from './declared.js'
import { type Column, isOurs, withSpread } from './numbers.js'

const COLUMNS = 3
/** px. */
const WIDTH = 760
const MARGIN = 24
const NAMES = 206
const GAP = 20
const HEAD = 76
const HEADING = 46
const ROW = 26
const FOOT = 84
const BAR = 12
/** For a number beside its bar. */
const NUMBER = 58

/** It has a card of its own, on which it can be read whatever page it stands on. */
const STYLE = `
  text { font: 12px -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 17px }
  .title, .heading, text.ours { font-weight: 600 }
  .heading, .small { font-size: 11px }
  .small { fill: #59636e }
  .number { text-anchor: end }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .bar { fill: #c4cbd3 }
  .bar.ours { fill: #54a3ff }
  path { stroke: #59636e }
  .goal { stroke: #9a6700; stroke-width: 2; stroke-dasharray: 3 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .card { fill: #0d1117; stroke: #3d444d }
    .bar { fill: #444c56 }
    .bar.ours { fill: #1f6feb }
    path { stroke: #b7bdc8 }
    .goal { stroke: #d29922 }
  }
`

export function draw(picture: Picture, columns: readonly Column[], results: Results): string {
  const { title, subtitle, of } = picture
  const parts: string[] = []
  let y = HEAD
  for (let first = 0; first < columns.length; first += COLUMNS) {
    const beside = columns.slice(first, first + COLUMNS)
    parts.push(drawBeside(beside, of, y))
    y += HEADING + ROW * (beside[0]?.cells.length ?? 0) + GAP
  }
  const height = y + FOOT
  const foot = footOf(columns, of, results)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text('title', MARGIN, 38, title)}
${text('', MARGIN, 59, subtitle)}
${parts.join('\n')}
${foot.map((line, index) => text('small', MARGIN, y + 18 + index * 20, line)).join('\n')}
</svg>
`
}

/** Columns with the same rows. */
function drawBeside(columns: readonly Column[], of: Picture['of'], top: number): string {
  const cells = columns[0]?.cells ?? []
  const width = (WIDTH - 2 * MARGIN - NAMES + GAP) / columns.length
  const rowAt = (row: number): number => top + HEADING + (row + 0.5) * ROW
  const bottom = rowAt(cells.length) - ROW / 2 + 4
  const parts = [text('heading', MARGIN, top + 16, columns[0]?.cost ?? '')]
  for (const [row, { contestant }] of cells.entries()) {
    parts.push(text(kindOf(contestant), MARGIN, rowAt(row) + 4, called(contestant)))
  }
  for (const [index, column] of columns.entries()) {
    const { heading, better, cost, show } = column
    const left = MARGIN + NAMES + index * width
    const end = endOf(cost === undefined ? [column] : columns, of)
    const x = (value: number): number => left + (Math.max(value, 0) / end) * (width - GAP - NUMBER)
    const axis = (kind: string, at: number): string => line(kind, at, top + HEADING - 4, at, bottom)
    parts.push(
      text('heading', left, top + 16, heading),
      text('small', left, top + 32, `${better} is better`),
      axis('axis', x(0)),
      of === 'ratio' ? axis('one', x(1)) : '',
      ...column.cells.map((cell, row) => drawCell(cell, show, x, rowAt(row))),
      ...column.cells.map(({ contestant, spread }, row) =>
        text(
          `number ${kindOf(contestant)}`,
          left + width - GAP,
          rowAt(row) + 4,
          show(spread.median),
        ),
      ),
    )
  }
  return parts.join('\n')
}

/** Where the axis of these columns ends. */
function endOf(columns: readonly Column[], of: Picture['of']): number {
  const values = columns.flatMap(({ cells }) =>
    cells.flatMap(({ spread, goal = 0 }) => [spread.median, spread.most, goal]),
  )
  return Math.max(...values.filter(Number.isFinite), of === 'ratio' ? 1 : 0) || 1
}

/** The median as a bar; a line from the least to the most. */
function drawCell(
  { contestant, spread, goal }: Column['cells'][number],
  show: Column['show'],
  x: (value: number) => number,
  y: number,
): string {
  const { median, least, most } = spread
  if (Number.isNaN(median)) return ''
  const bar = `x="${px(x(0))}" y="${px(y - BAR / 2)}" width="${px(x(median) - x(0))}" height="${BAR}"`
  return [
    `<rect class="bar ${kindOf(contestant)}" ${bar}><title>${withSpread(spread, show)}</title></rect>`,
    line('range', x(least), y, x(most), y),
    goal === undefined ? '' : line('goal', x(goal), y - ROW / 2 + 2, x(goal), y + ROW / 2 - 2),
  ].join('\n')
}

/** The signs; the machine; then the versions, the day and who is missing. */
function footOf(
  columns: readonly Column[],
  of: Picture['of'],
  { machine, date, leftOut }: Results,
): string[] {
  const cells = columns.flatMap((column) => column.cells)
  const signs = [
    `Bar: median of ${Math.min(...cells.map(({ rounds }) => rounds))} rounds`,
    'line through it: least to most',
    ...(of === 'ratio' ? ['line across: bare'] : []),
    ...(cells.some(({ goal }) => goal !== undefined) ? ['dashed: our goal'] : []),
  ]
  const { cpu, cores, memory, system } = machine
  const versions = Object.entries(machine.versions).map((each) => each.join(' '))
  const missing = leftOut.length > 0 ? ` · without ${leftOut.join(', ')}` : ''
  return [
    signs.join(' · '),
    `${cpu}, ${cores} cores, ${memory}, ${system}`,
    `${versions.join(', ')} · ${date}${missing}`,
  ]
}

function kindOf(contestant: string): string {
  return isOurs(contestant) ? 'ours' : 'other'
}

function text(kind: string, x: number, y: number, content: string): string {
  return `<text class="${kind}" x="${px(x)}" y="${px(y)}">${escaped(content)}</text>`
}

function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<path class="${kind}" d="M${px(x1)} ${px(y1)}L${px(x2)} ${px(y2)}"/>`
}

function px(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
