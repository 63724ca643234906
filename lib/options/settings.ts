import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DurableOptions } from '../api/cluster.js'
import type { ConnectionsPerKey, ResumeOptions } from '../api/option-groups.js'
import type { LifecycleOptions, WebsocketLifecycleOptions } from '../api/options.js'
import type { HooksOfRoute, SessionRouteOptions } from '../api/route-options.js'
import type { LifecycleSession } from '../api/session.js'
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

/** What the hooks of a route get: a session on a route with `resume`, else a socket. */
type SocketOrSession = LifecycleSocket | LifecycleSession

/** A hook as we call it: with the socket, the request, and the arguments that are special to it. */
export type Hook<About extends unknown[], Socket = SocketOrSession> = (
  this: FastifyInstance,
  socket: Socket,
  request: FastifyRequest,
  ...about: About
) => unknown

/** A hook of routes with `resume` alone. */
type SessionHook<About extends unknown[]> = Hook<About, LifecycleSession>

/** The options of any route, as we read them. */
export type AnyRouteOptions = HooksOfRoute<SocketOrSession> &
  Partial<Pick<SessionRouteOptions, 'resume' | 'onSuspend' | 'onResume'>>

export type ResumeSettings = Readonly<Required<ResumeOptions>>

export interface DurableSettings extends Readonly<Required<Omit<DurableOptions, 'data'>>> {
  readonly data: DurableOptions['data'] | undefined
}

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
  readonly groups: LifecycleOptions['groups']
  readonly messageRate: RatePolicy | false
  readonly handshakeTimeout: number | false
  readonly allowedOrigins: OriginPolicy
  readonly maxConnections: number
  readonly maxConnectionsPerKey: PerKeyPolicy | undefined
  readonly refuse: 'http' | 'close-frame'
  readonly history: boolean
  readonly onMessage: Hook<[message: unknown]> | undefined
  readonly onInvalidMessage: Hook<[error: Error]> | undefined
  readonly resume: ResumeSettings | undefined
  readonly cluster: { readonly durable: DurableSettings | undefined }
  readonly onSuspend: SessionHook<[close: CloseInfo]> | undefined
  readonly onResume: SessionHook<[]> | undefined
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
