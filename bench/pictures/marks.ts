/** The dot of a contestant, its whisker, and what else may stand in its row. */
import type { Spread } from '../harness/spread.js'
import { element, line, lines } from './svg.js'

const CAP = 3.5
const RADIUS = 5
const HALF_A_GOAL = 9

export function whisker(kind: string, from: number, to: number, y: number): string {
  return lines(
    line(`${kind} whisker`, from, y, to, y),
    line(`${kind} whisker`, from, y - CAP, from, y + CAP),
    line(`${kind} whisker`, to, y - CAP, to, y + CAP),
  )
}

export function uprightWhisker(kind: string, x: number, from: number, to: number): string {
  return lines(
    line(`${kind} whisker`, x, from, x, to),
    line(`${kind} whisker`, x - CAP, from, x + CAP, from),
    line(`${kind} whisker`, x - CAP, to, x + CAP, to),
  )
}

export function dot(kind: string, x: number, y: number): string {
  return element('circle', { class: `${kind} dot`, cx: x, cy: y, r: RADIUS })
}

export function dotWithWhisker(
  kind: string,
  { median, least, most }: Spread,
  x: (value: number) => number,
  y: number,
): string {
  if (Number.isNaN(median)) return ''
  return lines(whisker(kind, x(least), x(most), y), dot(kind, x(median), y))
}

export function goalMark(x: number, y: number): string {
  return line('goal', x, y - HALF_A_GOAL, x, y + HALF_A_GOAL)
}
