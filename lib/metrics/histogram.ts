import { ByLabels } from '../measures/by-labels.js'
import type { LabelValues } from '../measures/instruments.js'

/** How many durations were as long as its bound at most, and longer than that of the bucket before it. */
interface Bucket {
  readonly bound: number
  count: number
}

/** What a histogram has counted for some values of its labels. */
interface Series {
  readonly labels: LabelValues
  /** Those of the bounds, and one for all that is longer. */
  readonly buckets: readonly Bucket[]
  sum: number
}

/** Durations, counted in buckets. */
export class Histogram {
  readonly #series: ByLabels<Series>

  /** @param bounds the highest duration of each bucket, in rising order */
  constructor(bounds: readonly number[]) {
    this.#series = new ByLabels((labels) => ({
      labels,
      buckets: [...bounds, Infinity].map((bound) => ({ bound, count: 0 })),
      sum: 0,
    }))
  }

  get series(): Iterable<Series> {
    return this.#series.values
  }

  observe(labels: LabelValues, seconds: number): void {
    const series = this.#series.of(labels)
    const bucket = series.buckets.find(({ bound }) => seconds <= bound) as Bucket
    bucket.count++
    series.sum += seconds
  }
}
