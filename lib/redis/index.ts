/** The package entry `fastify-websocket-lifecycle/redis`. */
export type { CleanupOptions, ClusterOptions, WebsocketCluster } from './api.js'
export type { RedisLike } from './client.js'
export type {
  CloseResult,
  ClusterResult,
  FindResult,
  FoundConnection,
  PublishResult,
} from './results.js'
export { websocketCluster, websocketCluster as default } from './plugin.js'
