/** What is needed of prom-client: it is an optional peer, and the app's own copy of it is used. */

/** A registry of prom-client, such as `register`. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
  /** The type of prom-client asks for one of its own classes, and its code for {@link PromMetric}. */
  registerMetric(metric: never): unknown
  removeSingleMetric(name: string): unknown
}

/** A value of a metric. */
export interface PromValue {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  /** The name of the line, if it is not that of the metric. */
  readonly metricName?: string
}

interface PromSnapshot {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** prom-client sums the values of several processes, where it is asked to. */
  readonly aggregator: 'sum'
  /** Plain data: it may go to another process. */
  readonly values: readonly PromValue[]
}

/** What a registry reads. */
export interface PromMetric extends Omit<PromSnapshot, 'name' | 'values'> {
  /** A registry for OpenMetrics takes the `_total` off. */
  name: string
  get(): Promise<PromSnapshot>
  /** Called by `resetMetrics()`. A count of what has happened since the server started is not set back. */
  reset(): void
}

/** Makes a registry. @throws what `import()` throws if prom-client is not installed */
export async function ownRegistry(): Promise<MetricsRegistry> {
  // The loader of the tests adds a branch to each import().
  /* c8 ignore next */
  const { Registry } = await import('prom-client')
  return new Registry()
}
