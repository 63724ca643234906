/** A row for each contestant, with a dot in each column at the median and a whisker from the least to the most. */
import type { FilledColumn } from './cells.js'
import { drawColumn, scalesOf } from './column.js'
import { type Body, MARGIN, middleOf, plots, ROW, TOP, WIDTH } from './layout.js'
import { called, isOurs } from './picture.js'
import { element, lines, text } from './svg.js'

const BEYOND = 10

export function drawRows(columns: readonly FilledColumn[]): Body {
  const scales = scalesOf(columns)
  const contestants = columns[0]?.cells.map(({ contestant }) => contestant) ?? []
  const content = lines(
    ...contestants.map(drawName),
    ...plots(columns.length, contestants.length).map((plot, index) => {
      const [column, scale] = [columns[index], scales[index]]
      return column && scale ? drawColumn(column, scale, plot) : ''
    }),
  )
  return { content, bottom: TOP + contestants.length * ROW }
}

function drawName(contestant: string, row: number): string {
  const y = middleOf(row)
  if (!isOurs(contestant)) return text('name', MARGIN, y + 4.5, called(contestant))
  const width = WIDTH - 2 * (MARGIN - BEYOND)
  return lines(
    element('rect', { class: 'band', x: MARGIN - BEYOND, y: y - ROW / 2, width, height: ROW }),
    text('ours name', MARGIN, y + 4.5, called(contestant)),
  )
}
