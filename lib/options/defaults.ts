import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { DrainSettings, RouteSettings, WebsocketSettings } from './settings.js'

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
  drain: { timeout: 8_000, spread: 0, code: 1012, reason: 'service restart', retryAfter: 1 },
  websocket: { maxPayload: 1024 * 1024 },
}

interface Defaults extends Omit<
  RouteSettings,
  `on${string}` | 'expiresAt' | 'maxConnectionsPerKey'
> {
  readonly keepalive: HeartbeatPolicy
  readonly drain: DrainSettings
  readonly websocket: Pick<WebsocketSettings, 'maxPayload'>
}

export const ROUTE_DEFAULTS: RouteSettings = {
  ...DEFAULTS,
  expiresAt: undefined,
  maxConnectionsPerKey: undefined,
  onMessage: undefined,
  onInvalidMessage: undefined,
  onUnexpectedClose: [],
  onClose: [],
  onShutdown: [],
  onHandlerError: [],
}
