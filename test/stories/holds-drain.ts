// A drain is one: nothing but its steps keeps this process alive, and they are waited for.
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { tell } from './telling.js'

const app = Fastify()
await app.register(websocketLifecycle, { cleanupTimeout: 200 })
app.get('/', { websocket: true, onShutdown: async () => new Promise(() => {}) }, (socket) =>
  socket.scope.defer(async function feed() {
    await new Promise(() => {})
  }),
)
await app.ready()
await app.injectWS('/')
const { closed, abandoned } = await app.websocketLifecycle.drain()
tell(`${closed} closed, left behind: ${abandoned.map(({ step }) => step).join(', ')}`)
