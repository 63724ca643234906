import { STATUS_CODES } from 'node:http'
import createError from '@fastify/error'
import type { CloseCause } from './core/close/policy.js'

/** The `code` of every error that this package makes. */
export type LifecycleErrorCode =
  | 'FST_ERR_WSL_INVALID_OPTION'
  | 'FST_ERR_WSL_ALREADY_REGISTERED'
  | 'FST_ERR_WSL_WS_VERSION'
  | 'FST_ERR_WSL_DRAINING'
  | 'FST_ERR_WSL_HANDSHAKE_TIMEOUT'
  | 'FST_ERR_WSL_HANDSHAKE_BODY'
  | 'FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE'
  | 'FST_ERR_WSL_WEBSOCKET_ONLY'
  | 'FST_ERR_WSL_ROUTE_BEFORE_PLUGIN'
  | 'FST_ERR_WSL_ORIGIN'
  | 'FST_ERR_WSL_TOO_MANY_CONNECTIONS'
  | 'FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY'
  | 'FST_ERR_WSL_CREDENTIALS_EXPIRED'
  | 'FST_ERR_WSL_TOO_LATE_TO_REFUSE'
  | 'FST_ERR_WSL_TWO_READERS'
  | 'FST_ERR_WSL_OUTBOX_FULL'
  | 'FST_ERR_WSL_CONNECTION_CLOSED'
  | 'FST_ERR_WSL_CLUSTER_UNAVAILABLE'
  | 'FST_ERR_WSL_CLUSTER_KEY'

/** An error of this package. Fastify sends its `headers` with the answer. */
export interface LifecycleError extends Error {
  readonly code: string
  readonly statusCode?: number
  headers?: Record<string, string>
}

type ErrorFactory = (...details: string[]) => LifecycleError

export const invalidOption: ErrorFactory = define('FST_ERR_WSL_INVALID_OPTION', '%s', 500)

export const alreadyRegistered: ErrorFactory = define('FST_ERR_WSL_ALREADY_REGISTERED', '%s', 500)

export const wsTooOld: ErrorFactory = define(
  'FST_ERR_WSL_WS_VERSION',
  'Expected ws %s or later, but %s has found %s: an older one may not know the limits that hold here. See `npm ls ws`, then update it, or remove what pins it (such as `overrides`)',
  500,
)

export const draining: ErrorFactory = define(
  'FST_ERR_WSL_DRAINING',
  'The server is shutting down and takes no more WebSocket connections',
  503,
)

export const handshakeTimeout: ErrorFactory = define(
  'FST_ERR_WSL_HANDSHAKE_TIMEOUT',
  'The WebSocket handshake took longer than its handshakeTimeout of %s ms',
  503,
)

export const handshakeBody: ErrorFactory = define(
  'FST_ERR_WSL_HANDSHAKE_BODY',
  'The request for a WebSocket has a body (%s), where none is allowed',
  400,
)

export const notAWebsocketRoute: ErrorFactory = define(
  'FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE',
  'Route %s takes no WebSocket connections',
  404,
)

export const websocketOnly: ErrorFactory = define(
  'FST_ERR_WSL_WEBSOCKET_ONLY',
  'Route %s takes WebSocket connections only: open it with a WebSocket client, in a browser with new WebSocket(url). If this was one, something on its way has taken its Upgrade and Connection headers away: have the proxy pass them on',
  404,
)

export const routeBeforePlugin: ErrorFactory = define(
  'FST_ERR_WSL_ROUTE_BEFORE_PLUGIN',
  'Route %s was declared before fastify-websocket-lifecycle had loaded: await the registration, or declare the route in a plugin that is registered after it',
  500,
)

export const originRefused: ErrorFactory = define(
  'FST_ERR_WSL_ORIGIN',
  'The origin %s may not open a WebSocket here, where the host is %s%s: if it is yours, list it in `allowedOrigins`; behind a proxy that changes the host, have it forward the Host header, or set `trustProxy`',
  403,
)

export const tooManyConnections: ErrorFactory = define(
  'FST_ERR_WSL_TOO_MANY_CONNECTIONS',
  'There are as many WebSocket connections as the `maxConnections` of %s allows',
  503,
)

export const tooManyConnectionsPerKey: ErrorFactory = define(
  'FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY',
  'This client has as many WebSocket connections as the `maxConnectionsPerKey` of %s allows',
  429,
)

export const credentialsExpired: ErrorFactory = define(
  'FST_ERR_WSL_CREDENTIALS_EXPIRED',
  'The credentials of this request have expired',
  401,
)

export const tooLateToRefuse: ErrorFactory = define(
  'FST_ERR_WSL_TOO_LATE_TO_REFUSE',
  '%s is being answered already: call reply.refuseWebsocket() before anything else answers, from a hook (onRequest to preHandler) or an error handler',
  500,
)

export const twoReaders: ErrorFactory = define(
  'FST_ERR_WSL_TWO_READERS',
  'Route %s has two readers of its messages, where there can be one: remove its onMessage or the call of socket.messages(), and end one loop over messages() before the next',
  500,
)

export const outboxFull: ErrorFactory = define(
  'FST_ERR_WSL_OUTBOX_FULL',
  'The outbox is full: %s. Wait for socket.drained() before sending more',
  500,
)

/** Its `cause` has what Redis, or its client, has said: that may be for no stranger. */
export const clusterUnavailable: ErrorFactory = define(
  'FST_ERR_WSL_CLUSTER_UNAVAILABLE',
  'Redis cannot be asked: %s',
  503,
)

export const clusterKey: ErrorFactory = define('FST_ERR_WSL_CLUSTER_KEY', '%s', 500)

/** The reason of a scope's signal, and the error for callbacks of sends that came too late. */
export class ConnectionClosedError extends Error {
  readonly code = 'FST_ERR_WSL_CONNECTION_CLOSED'
  /**
   * Why the connection ended. `undefined` if it never opened, and after a FIN of the peer until all that came
   * before it has been read: a close frame may be among it.
   */
  readonly closeCause: CloseCause | undefined

  /** @param hasOpened `false` for an upgrade that never became a connection */
  constructor(closeCause: CloseCause | undefined, hasOpened: boolean = closeCause !== undefined) {
    const what = hasOpened ? 'is over' : 'never opened'
    super(`The WebSocket connection ${what}${closeCause === undefined ? '' : `: ${closeCause}`}`)
    this.name = 'ConnectionClosedError'
    this.closeCause = closeCause
  }
}

/** Adds a `Retry-After` header, in seconds (RFC 9110 §10.2.3). */
export function withRetryAfter(error: LifecycleError, seconds: number): LifecycleError {
  error.headers = { 'retry-after': String(seconds) }
  return error
}

export const JSON_TYPE = 'application/json; charset=utf-8'

/** The body of an error, as Fastify would answer it. */
export function bodyOf({ statusCode = 500, code, message }: LifecycleError): string {
  return JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
}

function define(code: LifecycleErrorCode, message: string, statusCode: number): ErrorFactory {
  const Factory = createError<string[]>(code, message, statusCode)
  return (...details) => new Factory(...details)
}
