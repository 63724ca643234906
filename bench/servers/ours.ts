/** The plugin: with its defaults, with `onMessage`, and with everything on. */
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type * as Ours from '../../dist/index.js'
import type { Variant } from './variant.js'

/** Echoes at `/`. */
type Route = (app: FastifyInstance) => void

function listener(app: FastifyInstance): void {
  app.get('/', { websocket: true }, (socket) => {
    socket.on('message', (message, isBinary) => void socket.send(message, { binary: isBinary }))
  })
}

function onMessage(app: FastifyInstance): void {
  app.get(
    '/',
    { websocket: true, onMessage: (socket, _request, message) => void socket.send(message) },
    () => {},
  )
}

function asyncOnMessage(app: FastifyInstance): void {
  app.get(
    '/',
    {
      websocket: true,
      async onMessage(socket, _request, message) {
        socket.send(message)
      },
    },
    () => {},
  )
}

const HOUR = 3_600_000

/** Nothing of it ever comes into effect: it is there to be looked at. */
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
    (echo: Route, options: Ours.WebsocketLifecycleOptions = {}): Variant =>
    async (app, { interval, timeout }) => {
      const given = { ...(interval && { interval }), ...(timeout && { timeout }) }
      await app.register(plugin, { keepalive: interval === 0 ? false : given, ...options })
      echo(app)
      const counts = { ended: 0, released: 0 }
      const onClose = (): void => void counts.ended++
      const release = (): void => void counts.released++
      app.get('/hooks', { websocket: true, onClose }, (socket) => {
        socket.scope.defer(release)
      })
      app.get('/storm', { websocket: true, onClose }, (socket) => {
        socket.scope.defer(release)
        socket.scope.defer(release)
      })
      return { connections: app.websocketLifecycle.connections, counts }
    }

  return {
    ours: variant(listener),
    'ours, onMessage': variant(onMessage),
    'ours, async onMessage': variant(asyncOnMessage),
    'ours, everything on': variant(onMessage, EVERYTHING),
  }
}
