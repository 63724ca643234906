/** A picture as SVG: for each figure a column, with a bar for each contestant; three beside each other. */
import type { Results } from '../harness/results.js'
import { called, type Column, isOurs, type Pictured, withSpread } from './numbers.js'

const COLUMNS = 3
/** px. */
const WIDTH = 760
const MARGIN = 24
const NAMES = 206
const GAP = 20
const HEAD = 76
const HEADING = 62
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
  { title, picture }: Pictured,
  columns: readonly Column[],
  results: Results,
): string {
  const parts = [text('title', MARGIN, 38, picture.title), text('', MARGIN, 59, title)]
  const heightOfRows = HEADING + ROW * (columns[0]?.cells.length ?? 0)
  let y = HEAD
  for (let first = 0; first < columns.length; first += COLUMNS) {
    parts.push(...drawBeside(columns.slice(first, first + COLUMNS), y, y + heightOfRows))
    y += heightOfRows + GAP
  }
  for (const [index, line] of footOf(columns, results).entries()) {
    parts.push(text('small', MARGIN, y + 18 + index * 20, line))
  }
  const [width, height] = [WIDTH, y + FOOT]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>${escaped(picture.title)}</title>
<style>${STYLE}</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${parts.join('\n')}
</svg>
`
}

/** Columns with the same rows; values with the same heading have the same scale. */
function drawBeside(columns: readonly Column[], top: number, bottom: number): string[] {
  const width = (WIDTH - 2 * MARGIN - NAMES + GAP) / columns.length
  const rowAt = (row: number): number => top + HEADING + (row + 0.5) * ROW
  const names = columns[0]?.cells.map(({ contestant }, row) =>
    text(kindOf(contestant), MARGIN, rowAt(row) + 4, called(contestant)),
  )
  const drawn = columns.flatMap((column, index) => {
    const { of, heading, below, better, cells, show } = column
    const left = MARGIN + NAMES + index * width
    const end = endOf(
      of === 'ratio' ? [column] : columns.filter((each) => each.heading === heading),
    )
    const x = (value: number): number => left + (Math.max(value, 0) / end) * (width - GAP - NUMBER)
    const axis = (at: number): string => line('axis', at, top + HEADING - 4, at, bottom + 4)
    const bars = cells.flatMap(({ contestant, spread, goal }, row) => {
      const { median, least, most } = spread
      const y = rowAt(row)
      const kind = kindOf(contestant)
      const box = `x="${px(left)}" y="${px(y - BAR / 2)}" width="${px(x(median) - left)}" height="${BAR}"`
      const bar = `<rect class="bar ${kind}" ${box}><title>${withSpread(spread, show)}</title></rect>`
      // The median; a line from the least to the most; what is aimed at; and the number.
      const drawn = Number.isNaN(median) ? [] : [bar, line('range', x(least), y, x(most), y)]
      if (goal !== undefined) drawn.push(line('goal', x(goal), y - 11, x(goal), y + 11))
      return drawn.concat(text(`number ${kind}`, left + width - GAP, y + 4, show(median)))
    })
    return [
      text('heading', left, top + 16, heading),
      text('small', left, top + 32, below),
      text('small', left, top + 47, `${better} is better`),
      axis(left),
      ...(of === 'ratio' ? [axis(x(1))] : []),
      ...bars,
    ]
  })
  return [...(names ?? []), ...drawn]
}

/** Where the axis of these columns ends. */
function endOf(columns: readonly Column[]): number {
  const values = columns.flatMap(({ of, cells }) => [
    of === 'ratio' ? 1 : 0,
    ...cells.flatMap(({ spread, goal = 0 }) => [spread.median, spread.most, goal]),
  ])
  return Math.max(...values.filter(Number.isFinite)) || 1
}

/** The signs; the machine; then the versions, the day and who is missing. */
function footOf(columns: readonly Column[], { machine, date, leftOut }: Results): string[] {
  const cells = columns.flatMap((column) => column.cells)
  const signs = [
    `Bar: median of ${Math.min(...cells.map(({ rounds }) => rounds))} rounds`,
    'line through it: least to most',
    ...(columns[0]?.of === 'ratio' ? ['all as ratios to bare: line across'] : []),
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
