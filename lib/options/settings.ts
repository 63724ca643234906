import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ConnectionsPerKey } from '../api/option-groups.js'
import type { LifecycleOptions, WebsocketLifecycleOptions } from '../api/options.js'
import type { LifecycleSocket } from '../api/socket.js'
import type { OriginList } from '../core/admission/origin.js'
import type { CloseInfo } from '../core/close/info.js'
import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { InboxPolicy } from '../core/messages/inbox.js'
import type { RatePolicy } from '../core/messages/message-rate.js'
import type { OutboxPolicy } from '../core/messages/outbox-age.js'

/** The origins whose pages may connect. */
export type OriginPolicy =
  | 'same-origin'
  | '*'
  | OriginList
  | ((origin: string, request: FastifyRequest) => boolean | Promise<boolean>)

/** A hook as we call it: with the socket, the request, and the arguments that are special to it. */
export type Hook<About extends unknown[]> = (
  this: FastifyInstance,
  socket: LifecycleSocket,
  request: FastifyRequest,
  ...about: About
) => unknown

export type PerKeyPolicy = Readonly<Required<ConnectionsPerKey>>

/** The options of a route, complete and checked. Hooks are in the order in which they run. */
export interface RouteSettings {
  readonly keepalive: HeartbeatPolicy | false
  readonly closeTimeout: number
  readonly cleanupTimeout: number
  readonly expectedCloseCodes: readonly number[]
  readonly inbox: InboxPolicy
  readonly outbox: OutboxPolicy
  readonly idleTimeout: number | false
  readonly maxLifetime: number | false
  readonly expiresAt: LifecycleOptions['expiresAt']
  readonly messageRate: RatePolicy | false
  readonly handshakeTimeout: number | false
  readonly allowedOrigins: OriginPolicy
  readonly maxConnections: number
  readonly maxConnectionsPerKey: PerKeyPolicy | undefined
  readonly refuse: 'http' | 'close-frame'
  readonly onMessage: Hook<[message: unknown]> | undefined
  readonly onInvalidMessage: Hook<[error: Error]> | undefined
  readonly onUnexpectedClose: readonly Hook<[close: CloseInfo]>[]
  readonly onClose: readonly Hook<[close: CloseInfo]>[]
  readonly onShutdown: readonly Hook<[]>[]
  readonly onHandlerError: readonly Hook<[error: Error]>[]
}

/** The `websocket` option as ws gets it: checked, and with own members only. */
export type WebsocketSettings = Readonly<
  NonNullable<WebsocketLifecycleOptions['websocket']> & { maxPayload: number }
>

export type DrainSettings = Required<NonNullable<WebsocketLifecycleOptions['drain']>>

export interface PluginSettings {
  readonly route: RouteSettings
  readonly drain: DrainSettings
  readonly websocket: WebsocketSettings
  readonly ignoreUpgrade: WebsocketLifecycleOptions['ignoreUpgrade']
}
