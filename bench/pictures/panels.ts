/** For each cost a panel: from few connections to many, a line for the plugin and one for whom it is compared with. */
import type { FilledColumn } from './cells.js'
import { type Body, MARGIN, WIDTH } from './layout.js'
import { dot, uprightWhisker } from './marks.js'
import { called, isOurs, type Panel } from './picture.js'
import { scale } from './scale.js'
import { element, line, lines, text } from './svg.js'

const A_ROW = 3
const GAP = 26
const WIDE = (WIDTH - 2 * MARGIN - (A_ROW - 1) * GAP) / A_ROW
const HIGH = 100
const TOP = 126
const ROW = HIGH + 84
/** For the numbers of the axis, and for those at the ends of the lines. */
const AXIS = 44
const ENDS = 46
const BETWEEN_ENDS = 14
/** From the axis to the first point. */
const IN = 12

type Place = (value: number) => number

/** @param crowds of each panel, one after another */
export function drawPanels(
  panels: readonly Panel[],
  crowds: readonly FilledColumn[],
  connections: readonly number[],
): Body {
  const content = panels.map((panel, index) => {
    const left = MARGIN + (index % A_ROW) * (WIDE + GAP)
    const top = TOP + Math.floor(index / A_ROW) * ROW
    const own = crowds.slice(index * connections.length, (index + 1) * connections.length)
    return drawPanel(panel, own, connections, left, top)
  })
  const bottom = TOP + Math.ceil(panels.length / A_ROW) * ROW - (ROW - HIGH)
  return { content: lines(...content), bottom }
}

function drawPanel(
  { heading, against }: Panel,
  crowds: readonly FilledColumn[],
  connections: readonly number[],
  left: number,
  top: number,
): string {
  const [start, end, bottom] = [left + AXIS, left + WIDE - ENDS, top + HIGH]
  const show = crowds[0]?.show ?? String
  const { at, landmarks } = scale(
    'linear',
    crowds.flatMap(({ cells }) => cells.flatMap(({ spread }) => [spread.least, spread.most])),
  )
  const y: Place = (value) => bottom - at(value) * HIGH
  const x: Place = (index) =>
    start + IN + (index / (connections.length - 1)) * (end - start - 2 * IN)
  const contestants = crowds[0]?.cells.map(({ contestant }) => contestant) ?? []
  return lines(
    text('heading', left, top - 30, heading),
    text('small', left, top - 14, `beside ${called(against)}`),
    ...landmarks.map((mark) => line('grid', start, y(mark), end, y(mark))),
    ...landmarks.map((mark) => text('small number', start - 6, y(mark) + 4, named(mark, show))),
    line('axis', start, bottom, end, bottom),
    ...connections.map((count, index) =>
      text('small tick', x(index), bottom + 17, count.toLocaleString('en')),
    ),
    // The plugin last, for it to be on top.
    ...contestants.toReversed().map((contestant) => drawSeries(contestant, crowds, x, y)),
    drawEnds(crowds.at(-1), end + 4, y),
  )
}

function drawSeries(
  contestant: string,
  crowds: readonly FilledColumn[],
  x: Place,
  y: Place,
): string {
  const kind = isOurs(contestant) ? 'ours' : 'other'
  const spreads = crowds.flatMap(({ cells }) =>
    cells.filter((cell) => cell.contestant === contestant).map(({ spread }) => spread),
  )
  const points = spreads.map(
    ({ median }, index) => `${x(index).toFixed(1)} ${y(median).toFixed(1)}`,
  )
  return lines(
    element('path', { class: `${kind} series`, d: `M${points.join('L')}` }),
    ...spreads.map(({ least, most }, index) => uprightWhisker(kind, x(index), y(least), y(most))),
    ...spreads.map(({ median }, index) => dot(kind, x(index), y(median))),
  )
}

/** The numbers of many connections, the higher one above. */
function drawEnds(many: FilledColumn | undefined, x: number, y: Place): string {
  if (many === undefined) return ''
  const cells = many.cells.toSorted((a, b) => b.spread.median - a.spread.median)
  let lowest = -Infinity
  return lines(
    ...cells.map(({ contestant, spread }) => {
      lowest = Math.max(y(spread.median) + 4, lowest + BETWEEN_ENDS)
      const kind = isOurs(contestant) ? 'ours' : 'other'
      return text(`${kind} end`, x, lowest, many.show(spread.median))
    }),
  )
}

function named(mark: number, show: (value: number) => string): string {
  return mark === 0 ? '0' : show(mark)
}
