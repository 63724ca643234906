/** A column of a picture: its heading, its axis, and a row for each contestant. */
import type { Cell, FilledColumn } from './cells.js'
import { middleOf, type Plot, TOP } from './layout.js'
import { dotWithWhisker, goalMark } from './marks.js'
import { isOurs } from './picture.js'
import { type Scale, scale } from './scale.js'
import { line, lines, text } from './svg.js'

/** Of a letter on an axis, and of the space between two numbers. */
const LETTER = 5.6
const BETWEEN = 7

type Place = (value: number) => number

export function drawColumn(column: FilledColumn, { at, landmarks }: Scale, plot: Plot): string {
  const { left, right, bottom, numbers } = plot
  const { heading, better, cells, show, mark } = column
  const x: Place = (value) => left + at(value) * (right - left)
  const ticks = ticksOf(column, landmarks, x)
  return lines(
    text('heading', left, TOP - 27, heading),
    text('small', left, TOP - 11, better === 'more' ? 'more is better →' : '← less is better'),
    ...ticks.map((tick) => line('grid', x(tick), TOP, x(tick), bottom)),
    ...ticks.map((tick) => text('small tick', x(tick), bottom + 17, named(tick, show))),
    line('axis', left, bottom, right, bottom),
    mark === undefined ? '' : line('mark', x(mark.at), TOP, x(mark.at), bottom + 4),
    ...cells.map((cell, row) => drawCell(cell, x, middleOf(row))),
    ...cells.map(({ contestant, spread }, row) =>
      text(`${kindOf(contestant)} number`, numbers, middleOf(row) + 4, show(spread.median)),
    ),
  )
}

function drawCell({ contestant, spread, goal }: Cell, x: Place, y: number): string {
  return lines(
    goal === undefined ? '' : goalMark(x(goal), y),
    dotWithWhisker(kindOf(contestant), spread, x, y),
  )
}

function kindOf(contestant: string): string {
  return isOurs(contestant) ? 'ours' : 'other'
}

/** Those that have room beside the ones before them, what is marked first. */
function ticksOf({ mark, show }: FilledColumn, landmarks: readonly number[], x: Place): number[] {
  const half = (tick: number): number => (named(tick, show).length * LETTER + BETWEEN) / 2
  const kept: number[] = mark === undefined ? [] : [mark.at]
  for (const tick of landmarks) {
    if (kept.every((other) => Math.abs(x(tick) - x(other)) >= half(tick) + half(other))) {
      kept.push(tick)
    }
  }
  return kept
}

function named(tick: number, show: (value: number) => string): string {
  return tick === 0 ? '0' : show(tick).replace(/\.?0+(?=×)/, '')
}

/** A scale for each; the same one for all that can be compared. */
export function scalesOf(columns: readonly FilledColumn[]): Scale[] {
  return columns.map((column) => {
    const alike = columns.filter((each) => axisOf(each) === axisOf(column))
    const cells = alike.flatMap((each) => each.cells)
    return scale(column.scale, [
      ...cells.flatMap(({ spread, goal = NaN }) => [spread.least, spread.most, goal]),
      ...alike.map(({ mark }) => mark?.at ?? NaN),
    ])
  })
}

function axisOf({ of, unit, scale }: FilledColumn): string {
  return `${scale} ${of === 'ratio' ? of : unit}`
}
