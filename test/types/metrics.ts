import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import websocketMetrics, {
  type MetricsRegistry,
  websocketMetrics as named,
  type WebsocketMetricsOptions,
} from 'fastify-websocket-lifecycle/metrics'
import { Registry, register } from 'prom-client'

const app = Fastify()
void app.register(websocketLifecycle)
void app.register(websocketMetrics, { registry: register })
void app.register(named, { endpoint: '/metrics', registry: new Registry() })

export const registry: MetricsRegistry = register
export const both: WebsocketMetricsOptions = { registry, endpoint: '/metrics' }
// @ts-expect-error
export const noUrl: WebsocketMetricsOptions = { endpoint: 'metrics' }
// @ts-expect-error
export const noRegistry: WebsocketMetricsOptions = { registry: {} }
