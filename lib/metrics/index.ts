import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { invalidOption } from '../errors.js'
import { toError } from '../platform/thrown.js'
import { Metrics } from './metrics.js'
import { resolveMetricsOptions, type WebsocketMetricsOptions } from './options.js'
import { type MetricsRegistry, ownRegistry } from './registry.js'

export type { WebsocketMetricsOptions } from './options.js'
export type { MetricsRegistry } from './registry.js'

async function websocketMetrics(
  app: FastifyInstance,
  options: WebsocketMetricsOptions,
): Promise<void> {
  const { endpoint, registry = await makeRegistry() } = resolveMetricsOptions(options)
  const metrics = new Metrics(app, registry)
  // Fastify calls this while connections still end. The drain has begun, and this is its report.
  app.addHook('onClose', async () => void app.websocketLifecycle.drain().then(() => metrics.stop()))
  if (endpoint === undefined) return
  app.get(endpoint, async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}

async function makeRegistry(): Promise<MetricsRegistry> {
  try {
    return await ownRegistry()
  } catch (error) {
    throw invalidOption(
      `Expected prom-client to be installed, or a \`registry\`, got an error (${toError(error).message}), in the options of fastify-websocket-lifecycle/metrics`,
    )
  }
}

/**
 * The plugin `fastify-websocket-lifecycle/metrics`: what happens to the connections of this server, as metrics for
 * Prometheus. Register it after `fastify-websocket-lifecycle`.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, and what the registry throws if it has a metric of the same name
 */
const plugin: FastifyPluginAsync<WebsocketMetricsOptions> = fp(websocketMetrics, {
  name: 'fastify-websocket-lifecycle-metrics',
  dependencies: ['fastify-websocket-lifecycle'],
  fastify: '5.x',
})

export { plugin as default, plugin as websocketMetrics }
