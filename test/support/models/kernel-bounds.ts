// The options of the server of kernel-world.ts, and what the model has to know of causes.
import type { CloseCause, RouteLifecycleOptions } from '../../../lib/index.js'
import type { RouteName } from './kernel-commands.js'

/** In ms. The sweep looks once a second, which is as seldom as it can be. */
export const BOUNDS = {
  keepalive: { interval: 20_000, timeout: 10_000 },
  closeTimeout: 10_000,
  cleanupTimeout: 3_000,
  handshakeTimeout: 15_000,
  drainTimeout: 16_000,
  idleTimeout: 30_000,
  maxLifetime: 60_000,
  /** Two looks of the sweep, and one for what a look has to wait for. */
  slack: 3_000,
} as const

export const PLACES_OF_ROUTE = 3
export const PLACES_OF_KEY = 2
export const RATE = 6

const key: NonNullable<RouteLifecycleOptions['maxConnectionsPerKey']>['key'] = ({ headers }) =>
  String(headers['x-key'])

export const ROUTE_OPTIONS: Readonly<Record<RouteName, RouteLifecycleOptions>> = {
  plain: {},
  ordered: { inbox: { maxMessages: 3 } },
  few: { maxConnections: PLACES_OF_ROUTE },
  key: { maxConnectionsPerKey: { max: PLACES_OF_KEY, key, whenFull: 'refuse' } },
  newest: { maxConnectionsPerKey: { max: PLACES_OF_KEY, key, whenFull: 'replace' } },
  limits: { idleTimeout: BOUNDS.idleTimeout, maxLifetime: BOUNDS.maxLifetime, history: true },
  quiet: { keepalive: false },
  drop: { outbox: { maxBytes: 50_000, highWaterMark: 20_000, overflow: 'drop' } },
  full: { outbox: { maxBytes: 50_000, highWaterMark: 20_000 } },
  rate: { messageRate: { max: RATE, window: 10_000 } },
  lenient: { expectedCloseCodes: [1000, 1001, 1005, 1006, 4000] },
}

/** Who ended it, and whether that was expected, as the documents have it. */
export const CAUSES: Readonly<
  Record<CloseCause, readonly ['client' | 'server' | 'network', boolean | 'by code']>
> = {
  'client-close': ['client', 'by code'],
  'server-close': ['server', true],
  'server-terminate': ['server', true],
  shutdown: ['server', true],
  'idle-timeout': ['server', true],
  'lifetime-expired': ['server', true],
  'auth-expired': ['server', true],
  replaced: ['server', true],
  'handler-error': ['server', false],
  'slow-consumer': ['server', false],
  'node-fenced': ['server', false],
  'rate-limited': ['server', false],
  'heartbeat-timeout': ['network', 'by code'],
  'connection-lost': ['network', 'by code'],
  'connection-reset': ['network', 'by code'],
  'protocol-error': ['client', false],
  'message-too-big': ['client', false],
}

export const EXPECTED_CODES: readonly number[] = [1000, 1001, 1005]
