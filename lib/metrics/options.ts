import { invalidOption } from '../errors.js'
import { type Check, withMethods } from '../options/check.js'
import { refuseUnknown } from '../options/complaints.js'
import { read } from '../options/group.js'
import type { MetricsRegistry } from './registry.js'

/** The options of the plugin `fastify-websocket-lifecycle/metrics`. At least one of them has to be given. */
export interface WebsocketMetricsOptions {
  /**
   * Where the metrics go: a registry of prom-client, such as its `register`. Default: one of our own, if there is an
   * `endpoint`.
   */
  registry?: MetricsRegistry | undefined
  /**
   * The URL of a GET route that answers with all metrics of the registry, such as `'/metrics'`. Whoever may call the
   * server may call it: behind a proxy, keep it away from strangers. Default: no such route.
   */
  endpoint?: `/${string}` | undefined
}

const WHERE = 'the options of fastify-websocket-lifecycle/metrics'

const CHECKS: Readonly<Record<keyof WebsocketMetricsOptions, Check>> = {
  registry: withMethods(
    'a registry of prom-client',
    'registerMetric',
    'removeSingleMetric',
    'metrics',
  ),
  endpoint: {
    expected: "a URL that begins with '/'",
    accepts: (value) => typeof value === 'string' && value.startsWith('/'),
  },
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function resolveMetricsOptions(options: WebsocketMetricsOptions): WebsocketMetricsOptions {
  refuseUnknown(options, Object.keys(CHECKS), '', WHERE)
  const given = read(options, CHECKS, '', WHERE)
  if (given.registry === undefined && given.endpoint === undefined) {
    throw invalidOption(
      `Expected a \`registry\` where the metrics go, or an \`endpoint\` that shows them, got neither, in ${WHERE}`,
    )
  }
  return given
}
