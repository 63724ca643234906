// What the options and a route's options must refuse.
import Fastify from 'fastify'
import websocketLifecycle, {
  type DrainOptions,
  type DrainReport,
  type KeepaliveOptions,
  type LifecycleOptions,
  type LifecycleStats,
  type WebsocketLifecycleOptions,
} from 'fastify-websocket-lifecycle'
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle, {
  keepalive: false,
  closeTimeout: 3_000,
  cleanupTimeout: 5_000,
  expectedCloseCodes: [1000, 1001] as const,
  handshakeTimeout: 10_000,
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

exactly<Promise<DrainReport>>()(app.websocketLifecycle.drain({ timeout: 1_000 }))
exactly<LifecycleStats>()(app.websocketLifecycle.stats())
exactly<boolean>()(app.websocketLifecycle.draining)
// @ts-expect-error
app.websocketLifecycle.drain({ timeout: '1s' })
// @ts-expect-error
app.websocketLifecycle.draining = true

exactly<false | KeepaliveOptions | undefined>()(({} as LifecycleOptions).keepalive)
exactly<DrainOptions | undefined>()(options[0]?.drain)
