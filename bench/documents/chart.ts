/** A picture as SVG: for each column a bar for each contestant, three columns beside each other. */
import type { Results } from '../harness/results.js'
import { called, type Picture } from './declared.js'
import { type Cell, isOurs, type Numbers } from './numbers.js'
import { withSpread } from './words.js'

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

export function draw(
  { title, subtitle }: Picture,
  columns: readonly Numbers[],
  results: Results,
): string {
  const parts: string[] = []
  let y = HEAD
  for (let first = 0; first < columns.length; first += COLUMNS) {
    const beside = columns.slice(first, first + COLUMNS)
    parts.push(drawBeside(beside, y))
    y += HEADING + ROW * (beside[0]?.cells.length ?? 0) + GAP
  }
  const height = y + FOOT
  const foot = [signs(columns), ...origin(results)]
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
function drawBeside(columns: readonly Numbers[], top: number): string {
  const width = (WIDTH - 2 * MARGIN - NAMES + GAP) / columns.length
  const names = columns[0]?.cells.map(({ contestant }, row) =>
    text(kindOf(contestant), MARGIN, rowAt(top, row) + 4, called(contestant)),
  )
  const cost = text('heading', MARGIN, top + 16, columns[0]?.cost ?? '')
  const drawn = columns.map((column, index) =>
    drawColumn(column, endOf(columns, column), top, MARGIN + NAMES + index * width, width - GAP),
  )
  return [cost, ...(names ?? []), ...drawn].join('\n')
}

/** Where the axis of a column ends. */
function endOf(columns: readonly Numbers[], column: Numbers): number {
  const alike = column.cost === undefined ? [column] : columns
  const values = alike.flatMap(({ cells }) =>
    cells.flatMap(({ spread, goal = 0 }) => [spread.median, spread.most, goal]),
  )
  return Math.max(...values.filter(Number.isFinite), column.of === 'ratio' ? 1 : 0) || 1
}

function drawColumn(
  { heading, better, of, cells, show }: Numbers,
  end: number,
  top: number,
  left: number,
  width: number,
): string {
  const x = (value: number): number => left + (Math.max(value, 0) / end) * (width - NUMBER)
  const bottom = rowAt(top, cells.length) - ROW / 2
  return [
    text('heading', left, top + 16, heading),
    text('small', left, top + 32, `${better} is better`),
    line('axis', x(0), top + HEADING - 4, x(0), bottom + 4),
    of === 'ratio' ? line('one', x(1), top + HEADING - 4, x(1), bottom + 4) : '',
    ...cells.map((cell, row) => drawCell(cell, show, x, rowAt(top, row))),
    ...cells.map(({ contestant, spread }, row) =>
      text(`number ${kindOf(contestant)}`, left + width, rowAt(top, row) + 4, show(spread.median)),
    ),
  ].join('\n')
}

/** The median as a bar; a line from the least to the most. */
function drawCell(
  { contestant, spread, goal }: Cell,
  show: Numbers['show'],
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

function rowAt(top: number, row: number): number {
  return top + HEADING + (row + 0.5) * ROW
}

function signs(columns: readonly Numbers[]): string {
  const rounds = Math.min(...columns.map((column) => column.rounds))
  const hasGoal = columns.some(({ cells }) => cells.some(({ goal }) => goal !== undefined))
  return [
    `Bar: median of ${rounds} rounds`,
    'line through it: least to most',
    ...(columns.some(({ of }) => of === 'ratio') ? ['line across: bare'] : []),
    ...(hasGoal ? ['dashed: our goal'] : []),
  ].join(' · ')
}

/** The machine; then the versions, the day and who is missing. */
function origin({ machine, date, leftOut }: Results): string[] {
  const { cpu, cores, memory, system, versions } = machine
  const numbered = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const missing = leftOut.length > 0 ? ` · without ${leftOut.join(', ')}` : ''
  return [
    `${cpu}, ${cores} cores, ${memory}, ${system}`,
    `${numbered.join(', ')} · ${date}${missing}`,
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
