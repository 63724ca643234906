import type { FastifyPluginAsync } from 'fastify'
import type { WebsocketLifecycleOptions } from './api/api.js'
import {
  CloseCode,
  isCloseCode,
  isRetryable,
  isUnexpectedClose,
  truncateReason,
} from './core/close/codes.js'
import { ConnectionClosedError } from './errors.js'
import { createPlugin } from './plugin/plugin.js'

export type {
  ConnectionScope,
  ConnectionsPerKey,
  DrainOptions,
  DrainReport,
  InboxOptions,
  KeepaliveOptions,
  LifecycleOptions,
  LifecycleSocket,
  LifecycleStats,
  Message,
  MessageOf,
  OutboxOptions,
  RefusalReason,
  RouteLifecycleOptions,
  WebsocketLifecycle,
  WebsocketLifecycleOptions,
} from './api/api.js'
export type { WebsocketHandler } from './api/augmentation.js'
export type { CloseFrame, CloseInfo } from './core/close/info.js'
export type { CloseCause, CloseInitiator } from './core/close/policy.js'
export type { LifecycleErrorCode } from './errors.js'
export {
  CloseCode,
  ConnectionClosedError,
  isCloseCode,
  isRetryable,
  isUnexpectedClose,
  truncateReason,
}

/**
 * The plugin. Register it in place of `@fastify/websocket`, which it registers itself, once for
 * each server and before the routes.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, `FST_ERR_WSL_ALREADY_REGISTERED`
 */
export const fastifyWebsocketLifecycle: FastifyPluginAsync<WebsocketLifecycleOptions> =
  createPlugin()

/** What `require()` answers: the plugin, with the other exports hanging on it. */
interface CommonJs extends FastifyPluginAsync<WebsocketLifecycleOptions> {
  default: typeof fastifyWebsocketLifecycle
  fastifyWebsocketLifecycle: typeof fastifyWebsocketLifecycle
  CloseCode: typeof CloseCode
  ConnectionClosedError: typeof ConnectionClosedError
  isCloseCode: typeof isCloseCode
  isRetryable: typeof isRetryable
  isUnexpectedClose: typeof isUnexpectedClose
  truncateReason: typeof truncateReason
}

const commonJs: CommonJs = Object.assign(fastifyWebsocketLifecycle, {
  default: fastifyWebsocketLifecycle,
  fastifyWebsocketLifecycle,
  CloseCode,
  ConnectionClosedError,
  isCloseCode,
  isRetryable,
  isUnexpectedClose,
  truncateReason,
})

export { fastifyWebsocketLifecycle as default, commonJs as 'module.exports' }
