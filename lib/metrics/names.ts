import type { Instrument } from '../measures/instruments.js'

/** Names do not say what is counted. */
const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }

/**
 * The name of an instrument in Prometheus: with its unit, and `_total` if it is a counter.
 * https://prometheus.io/docs/practices/naming/
 */
export function nameOf({ name, unit }: Instrument, kind: string): string {
  return `${name.replaceAll('.', '_')}${UNITS[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`
}
