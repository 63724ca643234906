/** The plugin: with its defaults, with `onMessage`, and with everything on. */
import { pathToFileURL } from 'node:url'
import type * as Ours from '../../dist/index.js'
import { countEnd as onClose, countRelease, type Variant } from './bare.js'

type Handler = (socket: Ours.LifecycleSocket) => void
type OnMessage = (socket: Ours.LifecycleSocket, request: unknown, message: Ours.Message) => unknown

const listen: Handler = (socket) => {
  socket.on('message', (message, isBinary) => void socket.send(message, { binary: isBinary }))
}
const echo: OnMessage = (socket, _request, message) => void socket.send(message)
const asyncEcho: OnMessage = async (socket, _request, message) => void socket.send(message)

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

  return {
    ours: variant(),
    'ours, onMessage': variant(echo),
    'ours, async onMessage': variant(asyncEcho),
    'ours, everything on': variant(echo, EVERYTHING),
  }
}
