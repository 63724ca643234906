/** The median of all rounds, with the least and the most. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** @returns `NaN` throughout where a round has no value: there is nothing to tell from the others */
export function spread(values: readonly number[]): Spread {
  if (values.some(Number.isNaN)) return { median: NaN, least: NaN, most: NaN }
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const at = (index: number): number => sorted[index] ?? NaN
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  return { median, least: at(0), most: at(sorted.length - 1) }
}

/** Numbers from 0 up to 1, the same ones each time: the linear congruences of Numerical Recipes. */
export function sequence(): () => number {
  let state = 1
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32
}
