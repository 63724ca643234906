import { ByLabels } from './by-labels.js'
import type { LabelValues } from './instruments.js'

interface Entry {
  readonly labels: LabelValues
  value: number
}

/** The values of one instrument, for all values of its labels. */
export class Tally implements Iterable<readonly [LabelValues, number]> {
  readonly #entries = new ByLabels((labels): Entry => ({ labels, value: 0 }))

  add(labels: LabelValues, value: number): void {
    this.#entries.of(labels).value += value
  }

  set(labels: LabelValues, value: number): void {
    this.#entries.of(labels).value = value
  }

  /** Raises each value to the highest that it ever had. @param highest where these are kept */
  neverBelow(highest: Tally): void {
    for (const entry of this.#entries.values) {
      const before = highest.#entries.of(entry.labels)
      entry.value = before.value = Math.max(entry.value, before.value)
    }
  }

  *[Symbol.iterator](): Iterator<readonly [LabelValues, number]> {
    for (const { labels, value } of this.#entries.values) yield [labels, value]
  }
}
