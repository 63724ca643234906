/** The package entry `fastify-websocket-lifecycle/otel`. */
export type { WebsocketOtelOptions } from './options.js'
export { websocketOtel, websocketOtel as default } from './plugin.js'
