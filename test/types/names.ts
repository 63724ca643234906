// The package's names, and the types of what they hold.
import websocketLifecycle, {
  CloseCode,
  ConnectionClosedError,
  fastifyWebsocketLifecycle,
  isCloseCode,
  isRetryable,
  isUnexpectedClose,
  truncateReason,
  type CloseCause,
  type CloseFrame,
  type CloseInfo,
  type CloseInitiator,
  type ConnectionScope,
  type LifecycleErrorCode,
  type LifecycleEventName,
  type LifecycleEvents,
  type LifecycleSession,
  type LifecycleSocket,
  type Message,
  type RefusalReason,
  type WebsocketLifecycleOptions,
} from 'fastify-websocket-lifecycle'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { exactly } from './exactly.js'

export const plugin: FastifyPluginAsync<WebsocketLifecycleOptions> = websocketLifecycle
export const byName: typeof plugin = fastifyWebsocketLifecycle

declare const close: CloseInfo
exactly<CloseCause>()(close.cause)
exactly<CloseInitiator>()(close.initiator)
exactly<CloseFrame | undefined>()(close.received)
exactly<boolean>()(isCloseCode(close, CloseCode.GoingAway, 4000))
exactly<boolean>()(isUnexpectedClose(close, 1000))
exactly<boolean>()(isRetryable(close.code))
exactly<string>()(truncateReason('bye'))
declare const told: LifecycleEvents
exactly<CloseInfo>()(told['connection.closed'].close)
exactly<LifecycleSocket | LifecycleSession>()(told['connection.opened'].connection)
exactly<FastifyRequest>()(told['session.resumed'].request)
exactly<number>()(told['peer.ponged'].latency)
exactly<'begun' | 'lasting' | 'over'>()(told['diagnosis.storm'].phase)
exactly<'both' | 'client' | 'server'>()(told['diagnosis.idle-timeout'].silent)
exactly<string | undefined>()(told['loop.stalled'].during?.step)
exactly<number | undefined>()(close.history?.[0]?.at)
export const event: LifecycleEventName = 'drain.ended'
// @ts-expect-error
export const unknownEvent: LifecycleEventName = 'connection.lost'
exactly<1012>()(CloseCode.ServiceRestart)
// @ts-expect-error
close.code = 1000
// @ts-expect-error
CloseCode.GoingAway = 1001

declare const error: unknown
if (error instanceof ConnectionClosedError) {
  exactly<'FST_ERR_WSL_CONNECTION_CLOSED'>()(error.code)
  exactly<CloseCause | undefined>()(error.closeCause)
}
export const reasons: Record<RefusalReason, true> = {
  draining: true,
  route: true,
  origin: true,
  limit: true,
  key: true,
  handshake: true,
  hook: true,
}
export const codes: Record<LifecycleErrorCode, true> = {
  FST_ERR_WSL_INVALID_OPTION: true,
  FST_ERR_WSL_ALREADY_REGISTERED: true,
  FST_ERR_WSL_WS_VERSION: true,
  FST_ERR_WSL_DRAINING: true,
  FST_ERR_WSL_HANDSHAKE_TIMEOUT: true,
  FST_ERR_WSL_HANDSHAKE_BODY: true,
  FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE: true,
  FST_ERR_WSL_WEBSOCKET_ONLY: true,
  FST_ERR_WSL_ROUTE_BEFORE_PLUGIN: true,
  FST_ERR_WSL_ORIGIN: true,
  FST_ERR_WSL_TOO_MANY_CONNECTIONS: true,
  FST_ERR_WSL_TOO_MANY_CONNECTIONS_PER_KEY: true,
  FST_ERR_WSL_CREDENTIALS_EXPIRED: true,
  FST_ERR_WSL_TOO_LATE_TO_REFUSE: true,
  FST_ERR_WSL_TWO_READERS: true,
  FST_ERR_WSL_OUTBOX_FULL: true,
  FST_ERR_WSL_CONNECTION_CLOSED: true,
  FST_ERR_WSL_CLUSTER_UNAVAILABLE: true,
  FST_ERR_WSL_CLUSTER_KEY: true,
}

declare const socket: LifecycleSocket
export const asWs: WebSocket = socket
exactly<string>()(socket.id)
exactly<FastifyRequest>()(socket.request)
exactly<ConnectionScope>()(socket.scope)
exactly<Promise<CloseInfo>>()(socket.closed)
exactly<number | undefined>()(socket.latency)
exactly<boolean>()(socket.send('text'))
exactly<boolean>()(socket.send(Buffer.of(1), { compress: false }, () => {}))
exactly<Promise<boolean>>()(socket.drained())
exactly<AsyncIterableIterator<Message>>()(socket.messages())
exactly<void>()(socket.expireAt(new Date()))
exactly<void>()(socket.close(4000, 'bye'))
// From @types/ws, which must therefore come with the package.
socket.on('message', (data, isBinary) => {
  exactly<import('ws').RawData>()(data)
  exactly<boolean>()(isBinary)
})
exactly<AbortSignal>()(socket.scope.signal)
socket.scope.defer(async () => {})
const resource = { [Symbol.asyncDispose]: async () => {}, name: 'feed' }
exactly<typeof resource>()(socket.scope.use(resource))
// @ts-expect-error
socket.scope.use({ close() {} })
// @ts-expect-error
socket.scope.defer(1_000)
// @ts-expect-error
socket.id = 'x'
