// What the options and a route's options must refuse.
import Fastify, { type FastifyRequest } from 'fastify'
import websocketLifecycle, {
  type ConnectionsPerKey,
  type DrainOptions,
  type DrainReport,
  type InboxOptions,
  type KeepaliveOptions,
  type LifecycleOptions,
  type LifecycleStats,
  type OutboxOptions,
  type WebsocketLifecycleOptions,
} from 'fastify-websocket-lifecycle'
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle, {
  keepalive: false,
  closeTimeout: 3_000,
  cleanupTimeout: 5_000,
  expectedCloseCodes: [1000, 1001] as const,
  inbox: { maxMessages: 64, maxBytes: 1_048_576, concurrency: 1 },
  outbox: { highWaterMark: 65_536, maxBytes: 1_048_576, maxAge: 10_000, overflow: 'close' },
  idleTimeout: 60_000,
  maxLifetime: 3_600_000,
  expiresAt: async (request) => {
    exactly<FastifyRequest>()(request)
    return new Date()
  },
  messageRate: { max: 100, window: 1_000 },
  handshakeTimeout: 10_000,
  allowedOrigins: ['https://app.example', /^https:\/\/[^.]+\.app\.example$/] as const,
  maxConnections: Infinity,
  maxConnectionsPerKey: {
    max: 10,
    key: (request) => {
      exactly<FastifyRequest>()(request)
      return request.headers.authorization
    },
    whenFull: 'replace',
  },
  refuse: 'close-frame',
  drain: { timeout: 8_000, spread: 0, code: 1012, reason: 'service restart', retryAfter: 1 },
  websocket: { maxPayload: 1024, perMessageDeflate: true },
})

const options: WebsocketLifecycleOptions[] = [
  // @ts-expect-error
  { keepalive: true },
  // @ts-expect-error
  { keepalive: { intervall: 1_000 } },
  // @ts-expect-error
  { keepalive: { interval: '25s' } },
  // @ts-expect-error
  { keepalive: { interval: false } },
  // @ts-expect-error
  { closeTimeout: false },
  // @ts-expect-error
  { cleanupTimeout: '5s' },
  // @ts-expect-error
  { expectedCloseCodes: 1000 },
  // @ts-expect-error
  { handshakeTimeout: true },
  // @ts-expect-error
  { allowedOrigins: 'https://app.example' },
  // @ts-expect-error
  { allowedOrigins: [true] },
  // @ts-expect-error
  { allowedOrigins: () => 'yes' },
  // @ts-expect-error
  { maxConnections: false },
  // @ts-expect-error
  { maxConnectionsPerKey: 10 },
  // @ts-expect-error
  { maxConnectionsPerKey: { key: () => 'anna' } },
  // @ts-expect-error
  { maxConnectionsPerKey: { max: 10, key: () => 1 } },
  // @ts-expect-error
  { maxConnectionsPerKey: { max: 10, key: async () => 'anna' } },
  // @ts-expect-error
  { maxConnectionsPerKey: { max: 10, whenFull: 'newest' } },
  // @ts-expect-error
  { refuse: 'close' },
  // @ts-expect-error
  { inbox: false },
  // @ts-expect-error
  { inbox: { maxMessages: '64' } },
  // @ts-expect-error
  { inbox: { maxBytes: false } },
  // @ts-expect-error
  { inbox: { highWaterMark: 64 } },
  // @ts-expect-error
  { outbox: 65_536 },
  // @ts-expect-error
  { outbox: { highWaterMark: false } },
  // @ts-expect-error
  { outbox: { maxBytes: null } },
  // @ts-expect-error
  { outbox: { maxAge: true } },
  // @ts-expect-error
  { outbox: { overflow: 'ignore' } },
  // @ts-expect-error
  { outbox: { maxMessages: 64 } },
  // @ts-expect-error
  { idleTimeout: true },
  // @ts-expect-error
  { idleTimeout: '1m' },
  // @ts-expect-error
  { maxLifetime: true },
  // @ts-expect-error
  { expiresAt: new Date() },
  // @ts-expect-error
  { expiresAt: () => 'tomorrow' },
  // @ts-expect-error
  { expiresAt: async () => null },
  // @ts-expect-error
  { messageRate: 100 },
  // @ts-expect-error
  { messageRate: { max: 100 } },
  // @ts-expect-error
  { messageRate: { max: 100, window: '1s' } },
  // @ts-expect-error
  { messageRate: true },
  // @ts-expect-error: a route's option, not a server's
  { onMessage: () => {} },
  // @ts-expect-error
  { onInvalidMessage: () => {} },
  // @ts-expect-error
  { drain: { timeout: false } },
  // @ts-expect-error
  { drain: { retryafter: 1 } },
  // @ts-expect-error
  { websocket: { noServer: true } },
  // @ts-expect-error: there is one close timeout, and it is ours
  { websocket: { closeTimeout: 1_000 } },
  // @ts-expect-error
  { preClose: () => {} },
  // @ts-expect-error: that is @fastify/websocket's shape
  { options: { maxPayload: 1024 } },
  // @ts-expect-error
  { onClose: 'log' },
  // @ts-expect-error
  { onClose: (socket: string) => socket },
]
// @ts-expect-error
app.register(websocketLifecycle, { closeTimeout: '3s' })

const handler = (): void => {}
// @ts-expect-error
app.get('/', { websocket: true, keepalive: { intervall: 1_000 } }, handler)
// @ts-expect-error
app.get('/', { websocket: true, keepalive: 25_000, handler })
// @ts-expect-error: a server's option, no route's
app.get('/', { websocket: true, drain: { spread: 1_000 } }, handler)
// @ts-expect-error
app.route({ method: 'GET', url: '/', websocket: true, closeTimeout: '3s', handler })
// @ts-expect-error
app.route({ method: 'GET', url: '/', handler, wsHandler: handler, cleanupTimeout: null })

app.get(
  '/',
  {
    websocket: true,
    inbox: { maxMessages: 8, concurrency: 2 },
    outbox: { maxAge: false, overflow: 'drop' },
    idleTimeout: false,
    maxLifetime: false,
    messageRate: false,
    expiresAt: (request) => {
      exactly<FastifyRequest>()(request)
      return 1_900_000_000_000
    },
  },
  handler,
)
app.get('/', {
  websocket: true,
  idleTimeout: 1_000,
  messageRate: { max: 1, window: 1 },
  expiresAt: () => undefined,
  handler,
})
app.route({
  method: 'GET',
  url: '/',
  websocket: true,
  outbox: { highWaterMark: 0 },
  maxLifetime: 1_000,
  expiresAt: async () => 1_900_000_000_000,
  handler,
})
app.route({
  method: 'GET',
  url: '/',
  inbox: {},
  outbox: {},
  handler: () => 'http',
  wsHandler: handler,
})
// @ts-expect-error
app.get('/', { websocket: true, inbox: { maxMessage: 8 } }, handler)
// @ts-expect-error
app.get('/', { websocket: true, outbox: { overflow: 'none' }, handler })
// @ts-expect-error
app.get('/', { websocket: true, messageRate: { max: 1 } }, handler)
// @ts-expect-error
app.route({ method: 'GET', url: '/', websocket: true, idleTimeout: '1s', handler })
// @ts-expect-error
app.route({ method: 'GET', url: '/', handler, wsHandler: handler, maxLifetime: null })
// @ts-expect-error
app.route({ method: 'GET', url: '/', websocket: true, expiresAt: () => 'soon', handler })

exactly<Promise<DrainReport>>()(app.websocketLifecycle.drain({ timeout: 1_000 }))
exactly<LifecycleStats>()(app.websocketLifecycle.stats())
exactly<boolean>()(app.websocketLifecycle.draining)
// @ts-expect-error
app.websocketLifecycle.drain({ timeout: '1s' })
// @ts-expect-error
app.websocketLifecycle.draining = true

exactly<false | KeepaliveOptions | undefined>()(({} as LifecycleOptions).keepalive)
exactly<ConnectionsPerKey | undefined>()(({} as LifecycleOptions).maxConnectionsPerKey)
exactly<InboxOptions | undefined>()(({} as LifecycleOptions).inbox)
exactly<OutboxOptions | undefined>()(({} as LifecycleOptions).outbox)
exactly<DrainOptions | undefined>()(options[0]?.drain)
