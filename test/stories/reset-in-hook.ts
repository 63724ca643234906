// A peer resets its connection while an asynchronous hook runs.
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { listen, tell } from './telling.js'

const app = Fastify()
await app.register(websocketLifecycle)
app.addHook('onRequest', async (request) => {
  if (request.url !== '/slow') return
  const left = new Promise<void>((resolve) => {
    request.wsScope?.defer(() => {
      tell('released')
      resolve()
    })
  })
  tell('in the hook')
  await left
})
app.get('/slow', { websocket: true }, () => tell('the handler ran'))
app.get('/', { websocket: true }, (socket) => {
  socket.send('still here')
  socket.on('close', () => void app.close())
})
await listen(app)
