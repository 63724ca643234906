import type { FastifyPluginAsync } from 'fastify'
import type { WebsocketLifecycleOptions } from './api/options.js'
import {
  CloseCode,
  isCloseCode,
  isRetryable,
  isUnexpectedClose,
  truncateReason,
} from './core/close/codes.js'
import { ConnectionClosedError } from './errors.js'
import { createPlugin } from './plugin/plugin.js'

export type { ClusterRouteOptions, DurableOptions, DurableRecord, Json } from './api/cluster.js'
export type { Group, GroupMember, GroupSendOptions, GroupSendResult } from './api/group.js'
export type {
  ConnectionDescription,
  DrainReport,
  LifecycleStats,
  RefusalReason,
  RouteStats,
  WebsocketLifecycle,
} from './api/lifecycle.js'
export type {
  ConnectionsPerKey,
  DrainOptions,
  InboxOptions,
  KeepaliveOptions,
  OutboxOptions,
  ResumeOptions,
} from './api/option-groups.js'
export type { LifecycleOptions, WebsocketLifecycleOptions } from './api/options.js'
export type { MessageOf, RouteLifecycleOptions, SessionRouteOptions } from './api/route-options.js'
export type { LifecycleSession } from './api/session.js'
export type {
  ConnectionEvent,
  EndStep,
  LifecycleEventName,
  LifecycleEvents,
  LifecycleTraces,
  LiveConnectionEvent,
  ServerEvent,
  UpgradeEvent,
} from './facts/events.js'
export type { LifecycleSocket, Message } from './api/socket.js'
export type { ConnectionScope } from './core/scope.js'
export type { WebsocketHandler, WebsocketSessionHandler } from './api/websocket-handler.js'
// Adds to Fastify's own types. It exports no names.
export type {} from './api/augmentation.js'
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
 * The plugin. Register it in place of `@fastify/websocket`, which it registers itself: once for each server,
 * and before the routes.
 * @throws (rejects with) `FST_ERR_WSL_INVALID_OPTION`, `FST_ERR_WSL_ALREADY_REGISTERED`,
 * `FST_ERR_WSL_WS_VERSION`
 */
export const fastifyWebsocketLifecycle: FastifyPluginAsync<WebsocketLifecycleOptions> =
  createPlugin()

/** The value of `require()`: the plugin, with the other exports as its properties. */
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
