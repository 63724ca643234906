// Connections without a network, one open and one whose cleanup hangs: no reason to go on.
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { tell } from './telling.js'

const app = Fastify()
await app.register(websocketLifecycle, { keepalive: { interval: 60_000 }, cleanupTimeout: 60_000 })
app.get('/', { websocket: true }, () => tell('opened'))
app.get('/hangs', { websocket: true }, (socket) => {
  socket.scope.defer(async () => {
    tell('cleaning up')
    await new Promise(() => {})
  })
})
await app.ready()
await app.injectWS('/')
const leaving = await app.injectWS('/hangs')
leaving.terminate()
