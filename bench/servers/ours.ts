/** The plugin: with its defaults, with `onMessage`, and with everything on. */
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type * as Ours from '../../dist/index.js'
import type { Variant } from './bare.js'

type OnMessage = (socket: Ours.LifecycleSocket, request: unknown, message: Ours.Message) => unknown

function listen(app: FastifyInstance): void {
  app.get('/', { websocket: true }, (socket) => {
    socket.on('message', (message, isBinary) => void socket.send(message, { binary: isBinary }))
  })
}

const call =
  (onMessage: OnMessage) =>
  (app: FastifyInstance): void => {
    app.get('/', { websocket: true, onMessage }, () => {})
  }

const echo: OnMessage = (socket, _request, message) => void socket.send(message)
const asyncEcho: OnMessage = async (socket, _request, message) => {
  socket.send(message)
}

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

/** @param dist where the plugin has been built */
export async function ours(dist: string): Promise<Record<string, Variant>> {
  const { default: plugin } = (await import(pathToFileURL(`${dist}/index.js`).href)) as typeof Ours

  const variant =
    (addEcho: typeof listen, options: Ours.WebsocketLifecycleOptions = {}): Variant =>
    async (app, { interval, timeout }, counts) => {
      const given = { ...(interval && { interval }), ...(timeout && { timeout }) }
      await app.register(plugin, { keepalive: interval === 0 ? false : given, ...options })
      addEcho(app)
      const onClose = (): void => void counts.ended++
      const release = (): void => void counts.released++
      app.get('/hooks', { websocket: true, onClose }, (socket) => {
        socket.scope.defer(release)
      })
      app.get('/storm', { websocket: true, onClose }, (socket) => {
        socket.scope.defer(release)
        socket.scope.defer(release)
      })
      return app.websocketLifecycle.connections
    }

  return {
    ours: variant(listen),
    'ours, onMessage': variant(call(echo)),
    'ours, async onMessage': variant(call(asyncEcho)),
    'ours, everything on': variant(call(echo), EVERYTHING),
  }
}
