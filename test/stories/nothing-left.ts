// An app that has had connections of every kind closes, and nobody calls process.exit().
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { listen, tell } from './telling.js'

const app = Fastify()
await app.register(websocketLifecycle, {
  closeTimeout: 100,
  cleanupTimeout: 100,
  keepalive: { interval: 60_000, timeout: 60_000 },
})
let opened = 0
app.get(
  '/',
  {
    websocket: true,
    onClose: (socket) => (socket.id === hanging ? new Promise(() => {}) : undefined),
  },
  (socket) => {
    hanging ??= socket.id
    if (++opened === 3) void app.close().then(() => tell('closed'))
  },
)
let hanging: string | undefined
app.get('/slow', { websocket: true, preHandler: async () => new Promise(() => {}) }, () => {})
await listen(app)
