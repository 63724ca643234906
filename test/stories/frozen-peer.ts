// One peer of the app is frozen when it closes. Nothing but the app keeps the process alive.
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { listen, tell } from './telling.js'

const app = Fastify()
await app.register(websocketLifecycle, { closeTimeout: 100 })
app.get('/', { websocket: true }, () => {})
process.once('SIGTERM', () => {
  const startedAt = performance.now()
  void app.close().then(() => {
    tell(`closed in ${Math.round(performance.now() - startedAt)}`)
    tell(`shutdown ${app.websocketLifecycle.stats().closed.shutdown}`)
  })
})
await listen(app)
