import type { ClusterRouteOptions } from '../api/cluster.js'
import type { LifecycleOptions, WebsocketLifecycleOptions } from '../api/options.js'
import type { SessionRouteOptions } from '../api/route-options.js'
import { isSendableCode, truncateReason } from '../core/close/codes.js'
import type { HeartbeatPolicy } from '../core/liveness/heartbeat.js'
import type { InboxPolicy } from '../core/messages/inbox.js'
import type { RatePolicy } from '../core/messages/message-rate.js'
import type { OutboxPolicy } from '../core/messages/outbox-age.js'
import {
  BOOLEAN,
  type Check,
  duration,
  GROUP,
  HOOK,
  INT32_MAX,
  oneOf,
  orFalse,
  orInfinity,
  whole,
} from './check.js'
import type { DrainSettings, DurableSettings, PerKeyPolicy, ResumeSettings } from './settings.js'

const LIFECYCLE_CHECKS: Readonly<Record<keyof LifecycleOptions, Check>> = {
  keepalive: orFalse(GROUP),
  closeTimeout: duration(1),
  cleanupTimeout: duration(1),
  expectedCloseCodes: {
    expected: 'an array of close codes (integers from 1000 to 4999)',
    accepts: (value) => Array.isArray(value) && value.every(isCloseCodeNumber),
  },
  inbox: GROUP,
  outbox: GROUP,
  idleTimeout: orFalse(duration(1)),
  maxLifetime: orFalse(duration(1)),
  expiresAt: HOOK,
  groups: HOOK,
  messageRate: orFalse(GROUP),
  handshakeTimeout: orFalse(duration(1)),
  allowedOrigins: {
    expected: "'same-origin', '*', an array of origins and patterns, or a function",
    accepts: (value) =>
      value === 'same-origin' || value === '*' || Array.isArray(value) || HOOK.accepts(value),
  },
  maxConnections: orInfinity(whole(0, 'connections')),
  maxConnectionsPerKey: GROUP,
  refuse: oneOf('http', 'close-frame'),
  history: BOOLEAN,
  onUnexpectedClose: HOOK,
  onClose: HOOK,
  onShutdown: HOOK,
  onHandlerError: HOOK,
}

export const PLUGIN_CHECKS: Readonly<Record<keyof WebsocketLifecycleOptions, Check>> = {
  ...LIFECYCLE_CHECKS,
  drain: GROUP,
  websocket: GROUP,
  ignoreUpgrade: HOOK,
}

export const ROUTE_CHECKS: Readonly<Record<keyof SessionRouteOptions, Check>> = {
  ...LIFECYCLE_CHECKS,
  onMessage: HOOK,
  onInvalidMessage: HOOK,
  resume: GROUP,
  onSuspend: HOOK,
  onResume: HOOK,
  cluster: GROUP,
}

export const KEEPALIVE_CHECKS: Readonly<Record<keyof HeartbeatPolicy, Check>> = {
  interval: duration(50),
  timeout: orFalse(duration(50)),
}

export const INBOX_CHECKS: Readonly<Record<keyof InboxPolicy, Check>> = {
  maxMessages: whole(1, 'messages'),
  maxBytes: whole(1, 'bytes'),
  concurrency: whole(1, 'messages'),
}

export const OUTBOX_CHECKS: Readonly<Record<keyof OutboxPolicy, Check>> = {
  highWaterMark: whole(0, 'bytes'),
  maxBytes: whole(1, 'bytes'),
  maxAge: orFalse(duration(50)),
  overflow: oneOf('close', 'drop'),
}

export const RATE_CHECKS: Readonly<Record<keyof RatePolicy, Check>> = {
  max: whole(1, 'messages'),
  window: duration(1),
}

export const PER_KEY_CHECKS: Readonly<Record<keyof PerKeyPolicy, Check>> = {
  max: orInfinity(whole(0, 'connections')),
  key: HOOK,
  whenFull: oneOf('refuse', 'replace'),
  scope: oneOf('server', 'cluster'),
}

export const RESUME_CHECKS: Readonly<Record<keyof ResumeSettings, Check>> = {
  key: HOOK,
  window: duration(1_000, 86_400_000),
  maxBytes: whole(1, 'bytes'),
}

export const CLUSTER_CHECKS: Readonly<Record<keyof ClusterRouteOptions, Check>> = {
  durable: GROUP,
}

export const DURABLE_CHECKS: Readonly<Record<keyof DurableSettings, Check>> = {
  name: {
    expected: 'a string that is not empty',
    accepts: (value) => typeof value === 'string' && value !== '',
  },
  data: HOOK,
  release: HOOK,
  whenCutOff: oneOf('continue', 'close'),
}

export const DRAIN_CHECKS: Readonly<Record<keyof DrainSettings, Check>> = {
  timeout: duration(1),
  spread: duration(0),
  code: { expected: 'a close code that may be sent', accepts: isSendableCode },
  reason: {
    expected: 'a string of at most 123 bytes of UTF-8',
    accepts: (value) => typeof value === 'string' && truncateReason(value) === value,
  },
  reconnectWindow: duration(0),
  retryAfter: {
    expected: 'a whole number of seconds from 0',
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
}

export const WEBSOCKET_CHECKS: Readonly<
  Record<'maxPayload' | 'maxBufferedChunks' | 'maxFragments', Check>
> = {
  maxPayload: orNoLimit('bytes'),
  maxBufferedChunks: orNoLimit('chunks'),
  maxFragments: orNoLimit('fragments'),
}

/** A bound as ws reads it: 0 means none. ws would also treat any value that is no such number as 0. */
function orNoLimit(of: string): Check {
  return {
    expected: `a whole number of ${of} from 0 (no limit) to ${INT32_MAX}`,
    accepts: (value) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= INT32_MAX,
  }
}

function isCloseCodeNumber(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1000 && (value as number) <= 4999
}
