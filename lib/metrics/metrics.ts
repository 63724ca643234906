import type { FastifyInstance } from 'fastify'
import {
  HISTOGRAM_KEYS,
  type HistogramKey,
  HISTOGRAMS,
  type Instrument,
  type LabelValues,
  NUMBER_KEYS,
  type NumberKey,
  NUMBERS,
} from '../measures/instruments.js'
import { Measures, type Reading } from '../measures/measures.js'
import { queueMicrotask } from '../platform/real-time.js'
import { Histogram } from './histogram.js'
import { nameOf } from './names.js'
import type { MetricsRegistry, PromMetric, PromValue } from './registry.js'

/** Of an app that has closed, its registry goes on showing the last numbers, until it gets those of another one. */
const shown = new WeakMap<MetricsRegistry, Metrics>()

/** The measures of one server, as metrics of a registry. */
export class Metrics {
  readonly #registry: MetricsRegistry
  /** `undefined` once the server is over: its app can be collected. */
  #measures: Measures | undefined
  /** As they were registered: a registry for OpenMetrics changes those that metrics have. */
  readonly #names: string[] = []
  /** A registry reads all metrics in one turn: they show the same moment, and nothing is asked twice. */
  #reading: Reading | undefined

  /** @throws what the registry throws if it has a metric of the same name */
  constructor(app: FastifyInstance, registry: MetricsRegistry) {
    this.#registry = registry
    const before = shown.get(registry)
    if (before !== undefined && before.#measures === undefined) before.#remove()
    try {
      for (const key of NUMBER_KEYS) this.#addNumber(key)
      const histograms = new Map(HISTOGRAM_KEYS.map((key) => [key, this.#addHistogram(key)]))
      this.#measures = new Measures(app, (key, labels, seconds) => {
        histograms.get(key)?.observe(labels, seconds)
      })
    } catch (error) {
      this.#remove()
      throw error
    }
    shown.set(registry, this)
  }

  /** The server is over. Its last numbers stay. */
  stop(): void {
    this.#reading = this.#measures?.read()
    this.#measures?.stop()
    this.#measures = undefined
  }

  #remove(): void {
    for (const name of this.#names) this.#registry.removeSingleMetric(name)
  }

  #addNumber(key: NumberKey): void {
    const instrument = NUMBERS[key]
    const { kind, labels } = instrument
    this.#add(instrument, kind, () =>
      Array.from(this.#readNow()[key], ([values, value]) => ({
        labels: named(labels, values),
        value,
      })),
    )
  }

  #addHistogram(key: HistogramKey): Histogram {
    const instrument = HISTOGRAMS[key]
    const histogram = new Histogram(instrument.bounds)
    this.#add(instrument, 'histogram', (name) => linesOf(name, histogram, instrument.labels))
    return histogram
  }

  #add(
    instrument: Instrument,
    type: PromMetric['type'],
    read: (name: string) => PromValue[],
  ): void {
    const name = nameOf(instrument, type)
    const about = { help: instrument.help, type, aggregator: 'sum' } as const
    const metric: PromMetric = {
      ...about,
      name,
      get: async () => ({ ...about, name: metric.name, values: read(metric.name) }),
      reset: () => {},
    }
    this.#registry.registerMetric(metric as never)
    this.#names.push(name)
  }

  #readNow(): Reading {
    const reading = (this.#reading ??= this.#measures?.read() as Reading)
    queueMicrotask(() => {
      if (this.#measures !== undefined) this.#reading = undefined
    })
    return reading
  }
}

function named(labels: readonly string[], values: LabelValues): Record<string, string> {
  return Object.fromEntries(labels.map((label, index) => [label, String(values[index])]))
}

/** The lines of a histogram. Its buckets are cumulative in the text. */
function linesOf(name: string, histogram: Histogram, labelNames: readonly string[]): PromValue[] {
  const lines: PromValue[] = []
  for (const { labels: values, buckets, sum } of histogram.series) {
    const labels = named(labelNames, values)
    let count = 0
    for (const bucket of buckets) {
      count += bucket.count
      const le = bucket.bound === Infinity ? '+Inf' : bucket.bound
      lines.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
    }
    lines.push({ metricName: `${name}_sum`, labels, value: sum })
    lines.push({ metricName: `${name}_count`, labels, value: count })
  }
  return lines
}
