/** The plugin: with its defaults, with `onMessage`, and with everything on. */
import type { FastifyInstance } from 'fastify'
import websocketLifecycle, { type WebsocketLifecycleOptions } from '../../dist/index.js'
import { fanOut, held } from './fan-out.js'
import type { Variant } from './variant.js'

function variant(
  echo: (app: FastifyInstance) => void,
  options: WebsocketLifecycleOptions = {},
): Variant {
  return async (app, { interval, timeout }) => {
    const keepalive = { ...(interval && { interval }), ...(timeout && { timeout }) }
    await app.register(websocketLifecycle, { keepalive, ...options })
    echo(app)
    let ended = 0
    let released = 0
    const release = (): void => void released++
    app.get('/hooks', { websocket: true, onClose: () => void ended++ }, (socket) => {
      socket.scope.defer(release)
    })
    app.get('/storm', { websocket: true, onClose: () => void ended++ }, (socket) => {
      socket.scope.defer(release)
      socket.scope.defer(release)
    })
    const { connections } = app.websocketLifecycle
    return {
      ended: () => ended,
      released: () => released,
      fanOut: (bytes) => fanOut(connections, bytes),
      held: () => held(connections),
    }
  }
}

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
const EVERYTHING: WebsocketLifecycleOptions = {
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

export const ours: Readonly<Record<string, Variant>> = {
  ours: variant(listener),
  'ours, no keepalive': variant(listener, { keepalive: false }),
  'ours, onMessage': variant(onMessage),
  'ours, async onMessage': variant(asyncOnMessage),
  'ours, everything on': variant(onMessage, EVERYTHING),
}
