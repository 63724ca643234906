import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { DrainSettings, ResumeSettings, RouteSettings, WebsocketSettings } from './settings.js'

/** All defaults. Each is written here and nowhere else. */
export const DEFAULTS: Defaults = {
  keepalive: { interval: 25_000, timeout: 20_000 },
  closeTimeout: 3_000,
  cleanupTimeout: 5_000,
  expectedCloseCodes: [1000, 1001, 1005],
  inbox: { maxMessages: 64, maxBytes: 1024 * 1024, concurrency: 1 },
  outbox: { highWaterMark: 64 * 1024, maxBytes: 1024 * 1024, maxAge: 10_000, overflow: 'close' },
  idleTimeout: false,
  maxLifetime: false,
  messageRate: false,
  handshakeTimeout: 10_000,
  allowedOrigins: 'same-origin',
  maxConnections: Infinity,
  refuse: 'http',
  history: false,
  resume: { window: 60_000, maxBytes: 256 * 1024 * 1024 },
  drain: {
    timeout: 8_000,
    spread: 0,
    code: 1012,
    reason: 'service restart',
    retryAfter: 1,
    reconnectWindow: 5_000,
  },
  websocket: { maxPayload: 1024 * 1024 },
}

interface Defaults extends Omit<
  RouteSettings,
  `on${string}` | 'cluster' | 'expiresAt' | 'groups' | 'maxConnectionsPerKey' | 'resume'
> {
  readonly keepalive: HeartbeatPolicy
  /** Of a route that has it. */
  readonly resume: Omit<ResumeSettings, 'key'>
  readonly drain: DrainSettings
  readonly websocket: Pick<WebsocketSettings, 'maxPayload'>
}

export const ROUTE_DEFAULTS: RouteSettings = {
  ...DEFAULTS,
  expiresAt: undefined,
  groups: undefined,
  maxConnectionsPerKey: undefined,
  onMessage: undefined,
  onInvalidMessage: undefined,
  resume: undefined,
  cluster: { durable: undefined },
  onSuspend: undefined,
  onResume: undefined,
  onUnexpectedClose: [],
  onClose: [],
  onShutdown: [],
  onHandlerError: [],
}
