import {
  type Attributes,
  type BatchObservableResult,
  createNoopMeter,
  type Histogram,
  type Meter,
  type Observable,
} from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'
import {
  HISTOGRAM_KEYS,
  type HistogramKey,
  HISTOGRAMS,
  type Label,
  type LabelValues,
  NUMBER_KEYS,
  type NumberKey,
  NUMBERS,
} from '../measures/instruments.js'
import { Measures, type Reading, tallies } from '../measures/measures.js'
import { ATTRIBUTE } from './attributes.js'

/** The names of labels as attributes. */
const NAMES: Readonly<Record<Label, string>> = {
  route: ATTRIBUTE.route,
  cause: ATTRIBUTE.cause,
  reason: ATTRIBUTE.refusal,
  step: ATTRIBUTE.step,
  direction: 'websocket.message.direction',
  by: 'websocket.reading.paused_by',
}

/**
 * The metrics of all servers that give them to one meter: each instrument has one value for the same
 * attributes, so they are added up.
 */
class MeterMetrics {
  readonly histograms: ReadonlyMap<HistogramKey, Histogram>
  readonly #living = new Set<Measures>()
  /** The counters of servers that are over, and zeros in place of their gauges. */
  readonly #over = tallies()

  constructor(meter: Meter) {
    this.histograms = new Map(HISTOGRAM_KEYS.map((key) => [key, histogramOf(meter, key)]))
    const numbers = NUMBER_KEYS.map((key) => [key, numberOf(meter, key)] as const)
    const observables = numbers.map(([, observable]) => observable)
    meter.addBatchObservableCallback((result) => this.#observe(numbers, result), observables)
  }

  add(measures: Measures): void {
    this.#living.add(measures)
  }

  /** What the server has counted stays: a reader may collect later. */
  end(measures: Measures): void {
    addTo(this.#over, measures.read(), ({ kind }) => kind === 'counter')
    this.#living.delete(measures)
    measures.stop()
  }

  #observe(
    numbers: ReadonlyArray<readonly [NumberKey, Observable]>,
    result: BatchObservableResult,
  ): void {
    const sum = tallies()
    for (const reading of [this.#over, ...Array.from(this.#living, (each) => each.read())]) {
      addTo(sum, reading, () => true)
    }
    for (const [key, observable] of numbers) {
      for (const [values, value] of sum[key]) {
        result.observe(observable, value, attributesOf(NUMBERS[key].labels, values))
      }
    }
  }
}

const metricsOf = new WeakMap<Meter, MeterMetrics>()

/** Gives the measures of one server to a meter. @returns a function that ends it */
export function giveMetrics(app: FastifyInstance, meter: Meter): () => void {
  // Nobody has set a provider: nothing needs to be measured.
  if (meter === createNoopMeter()) return () => {}
  const metrics = metricsOf.get(meter) ?? new MeterMetrics(meter)
  metricsOf.set(meter, metrics)
  const measures = new Measures(app, (key, values, seconds) => {
    metrics.histograms.get(key)?.record(seconds, attributesOf(HISTOGRAMS[key].labels, values))
  })
  metrics.add(measures)
  return () => metrics.end(measures)
}

/** @param counts whether the values of an instrument are added; else there are zeros */
function addTo(
  sum: Reading,
  reading: Reading,
  counts: (instrument: (typeof NUMBERS)[NumberKey]) => boolean,
): void {
  for (const key of NUMBER_KEYS) {
    const isCounted = counts(NUMBERS[key])
    for (const [values, value] of reading[key]) sum[key].add(values, isCounted ? value : 0)
  }
}

function histogramOf(meter: Meter, key: HistogramKey): Histogram {
  const { bounds, help: description, name, unit } = HISTOGRAMS[key]
  const advice = { explicitBucketBoundaries: [...bounds] }
  return meter.createHistogram(name, { description, unit, advice })
}

function numberOf(meter: Meter, key: NumberKey): Observable {
  const { help: description, kind, name, unit } = NUMBERS[key]
  return kind === 'counter'
    ? meter.createObservableCounter(name, { description, unit })
    : meter.createObservableUpDownCounter(name, { description, unit })
}

/** Without a route where there is none. */
function attributesOf(labels: readonly Label[], values: LabelValues): Attributes {
  const pairs = labels.map((label, index) => [NAMES[label], values[index]] as const)
  return Object.fromEntries(pairs.filter(([, value]) => value !== ''))
}
