/** Figures as people read them. */
import type { Spread } from '../harness/numbers.js'

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** A unit that has grown too small for a value, and the one for a thousand of it. */
const LARGER: Readonly<Record<string, string>> = {
  µs: 'ms',
  ms: 's',
  B: 'kB',
  kB: 'MB',
  MB: 'GB',
}

export function quantity(value: number, unit: string): string {
  if (Number.isNaN(value)) return '–'
  if (unit === 'ratio') return times(value)
  const larger = LARGER[unit]
  if (larger !== undefined && Math.abs(value) >= 999.5) return quantity(value / 1_000, larger)
  const number = NUMBER.format(value).replace('-', '−')
  return unit === '' || unit.startsWith('/') ? number + unit : `${number} ${unit}`
}

export function times(ratio: number): string {
  if (Number.isNaN(ratio)) return '–'
  return `${ratio.toFixed(ratio < 9.995 ? 2 : 1)}×`
}

/** `2.61× (2.5 to 2.8)`: the median, from the least to the most. */
export function withSpread(
  { median, least, most }: Spread,
  show: (value: number) => string,
): string {
  if (Number.isNaN(median)) return 'not known'
  return `${show(median)} (${show(least)} to ${show(most)})`
}
