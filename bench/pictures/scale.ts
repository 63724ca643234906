/** Where a value stands on an axis, and which values are worth naming there. */

export type ScaleKind = 'linear' | 'log'

export interface Scale {
  /** Those most worth naming first; not all of them have room. */
  readonly landmarks: readonly number[]
  /** @returns 0 to 1, from the axis's start to its end */
  readonly at: (value: number) => number
}

/** A scale on which all these values have their place; a linear one starts at 0. */
export function scale(kind: ScaleKind, values: readonly number[]): Scale {
  const finite = values.filter(Number.isFinite)
  return kind === 'log' ? log(finite) : linear(finite)
}

/** So much room is left beyond the outermost values. */
const MARGIN = 0.06

function linear(values: readonly number[]): Scale {
  const least = Math.min(0, ...values)
  const span = Math.max(...values) - least || 1
  const end = least + span * (1 + MARGIN)
  return { landmarks: steps(least, end), at: (value) => (value - least) / (end - least) }
}

function log(values: readonly number[]): Scale {
  const logs = values.filter((value) => value > 0).map(Math.log10)
  const span = Math.max(...logs) - Math.min(...logs) || 1
  const start = Math.min(...logs) - span * MARGIN
  const end = Math.max(...logs) + span * MARGIN
  return {
    landmarks: powersAndParts(10 ** start, 10 ** end),
    // What is 0 or less stands at the start.
    at: (value) => (value > 10 ** start ? (Math.log10(value) - start) / (end - start) : 0),
  }
}

const ENOUGH = 3

/** Powers of ten, then 2 and 5 of each; even steps where that is too coarse. */
function powersAndParts(start: number, end: number): number[] {
  const first = Math.floor(Math.log10(start))
  const decades = Array.from({ length: Math.ceil(Math.log10(end)) - first }, (_, i) => first + i)
  const marks = [1, 2, 5].flatMap((part) => decades.map((decade) => clean(part * 10 ** decade)))
  const within = marks.filter((mark) => mark >= start && mark <= end)
  return within.length < ENOUGH ? steps(start, end) : within
}

const STEPS = [1, 2, 2.5, 5, 10]
const AT_MOST = 4

function steps(start: number, end: number): number[] {
  const rough = (end - start) / AT_MOST
  const unit = 10 ** Math.floor(Math.log10(rough))
  const step = unit * (STEPS.find((each) => each * unit >= rough) ?? 10)
  const first = Math.ceil(start / step)
  const count = Math.floor(end / step) - first + 1
  return Array.from({ length: count }, (_, index) => clean((first + index) * step))
}

/** Without what binary fractions leave behind. */
function clean(value: number): number {
  return Number(value.toPrecision(12))
}
