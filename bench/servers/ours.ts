/** The plugin: with its defaults, with `onMessage`, and with everything on. */
import { pathToFileURL } from 'node:url'
import type { FastifyPluginAsync } from 'fastify'
import type * as Ours from '../../dist/index.js'
import { compression } from '../harness/server.js'
import { countEnd as onClose, countRelease, type Variant } from './bare.js'

type Subpath = { readonly default: FastifyPluginAsync }
type Handler = (socket: Ours.LifecycleSocket) => void
type OnMessage = (socket: Ours.LifecycleSocket, request: unknown, message: Ours.Message) => unknown

const listen: Handler = (socket) => {
  socket.on('message', (message, isBinary) => void socket.send(message, { binary: isBinary }))
}
const echo: OnMessage = (socket, _request, message) => void socket.send(message)
const echoOnSession = (
  session: Ours.LifecycleSession,
  _request: unknown,
  message: Ours.Message,
): void => void session.send(message)
const asyncEcho: OnMessage = async (socket, _request, message) => void socket.send(message)

const inAll = (): string => 'all'

const HOUR = 3_600_000

/** All of it is looked at, and none of it ever comes into effect. */
const EVERYTHING: Ours.WebsocketLifecycleOptions = {
  allowedOrigins: ['http://localhost'],
  maxConnections: 50_000,
  maxConnectionsPerKey: { max: 50_000 },
  messageRate: { max: 1e9, window: 1_000 },
  idleTimeout: HOUR,
  maxLifetime: 24 * HOUR,
  expiresAt: () => Date.now() + 24 * HOUR,
  inbox: { maxMessages: 256 },
  outbox: { overflow: 'drop' },
  onClose: () => {},
  onUnexpectedClose: () => {},
  onShutdown: () => {},
  onHandlerError: () => {},
}

function release(times: number): Handler {
  return (socket) => {
    for (let i = 0; i < times; i++) socket.scope.defer(countRelease)
  }
}

/** @param dist where the plugin has been built */
export async function ours(dist: string): Promise<Record<string, Variant>> {
  const { default: plugin } = (await import(pathToFileURL(`${dist}/index.js`).href)) as typeof Ours

  const variant =
    (onMessage?: OnMessage, options: Ours.WebsocketLifecycleOptions = {}): Variant =>
    async (app, { interval, timeout }) => {
      const given = { ...(interval && { interval }), ...(timeout && { timeout }) }
      await app.register(plugin, { keepalive: interval === 0 ? false : given, ...options })
      if (onMessage === undefined) app.get('/', { websocket: true }, listen)
      else app.get('/', { websocket: true, onMessage }, () => {})
      app.get('/hooks', { websocket: true, onClose }, release(1))
      app.get('/storm', { websocket: true, onClose }, release(2))
      return app.websocketLifecycle.connections
    }

  /** @param name of a subpath whose plugin is registered too */
  const withPlugin =
    (name: string, options: object, onMessage?: OnMessage): Variant =>
    async (app, settings) => {
      const subpath = (await import(pathToFileURL(`${dist}/${name}.js`).href)) as Subpath
      const connections = await variant(onMessage)(app, settings)
      await app.register(subpath.default, options)
      return connections
    }
  const withMetrics = (onMessage?: OnMessage): Variant =>
    withPlugin('metrics', { endpoint: '/metrics' }, onMessage)
  const withDashboard = (onMessage?: OnMessage): Variant =>
    withPlugin('dashboard', { prefix: '/admin', authorize: () => true }, onMessage)

  const inGroup: Variant = async (app, settings) => {
    const websocket = { perMessageDeflate: compression(settings) }
    await variant(undefined, { groups: inAll, websocket })(app, settings)
    // They are clogged by hand, so nothing that waits for them may end them.
    const outbox = { maxBytes: 1e9, maxAge: false, overflow: 'drop' } as const
    app.get('/silent', { websocket: true, outbox }, listen)
    return app.websocketLifecycle.group('all') as Iterable<Ours.LifecycleSocket>
  }

  return {
    'ours, group': inGroup,
    ours: variant(),
    'ours, metrics': withMetrics(),
    'ours, onMessage, metrics': withMetrics(echo),
    'ours, dashboard': withDashboard(),
    'ours, onMessage, dashboard': withDashboard(echo),
    'ours, onMessage': variant(echo),
    'ours, async onMessage': variant(asyncEcho),
    'ours, everything on': variant(echo, EVERYTHING),
    'ours, sessions': async (app) => {
      await app.register(plugin, { keepalive: false })
      const resume = { key: () => null, window: HOUR }
      app.get('/', { websocket: true, resume, onMessage: echoOnSession }, () => {})
      return []
    },
  }
}
