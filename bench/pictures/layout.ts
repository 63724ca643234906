/** Where things stand, in pixels. */

/** What is drawn of a picture's numbers, and where it ends. */
export interface Body {
  readonly content: string
  readonly bottom: number
}

export const WIDTH = 760
export const MARGIN = 24
export const TOP = 118
export const ROW = 26
/** For the legend and where the numbers come from. */
export const BELOW = 108

const NAMES = 196
const GAP = 26
/** For a number beside its dot. */
const NUMBER = 50

/** The box of a column's dots. */
export interface Plot {
  readonly left: number
  readonly right: number
  readonly bottom: number
  /** Where numbers end. */
  readonly numbers: number
}

export function plots(columns: number, rows: number): Plot[] {
  const width = (WIDTH - 2 * MARGIN - NAMES - (columns - 1) * GAP) / columns
  return Array.from({ length: columns }, (_, index): Plot => {
    const left = MARGIN + NAMES + index * (width + GAP)
    return { left, right: left + width - NUMBER, bottom: TOP + rows * ROW, numbers: left + width }
  })
}

export function middleOf(row: number): number {
  return TOP + (row + 0.5) * ROW
}
