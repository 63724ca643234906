// A process that is told to go: close-with-grace closes the app, and the database comes last.
import closeWithGrace from 'close-with-grace'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { listen, tell } from './telling.js'

const app = Fastify()
let database: string | undefined = 'open'
app.addHook('onClose', async () => {
  database = undefined
  tell('the database is closed')
})
await app.register(websocketLifecycle)
app.get('/', { websocket: true, onShutdown: (socket) => socket.send('goodbye') }, (socket) => {
  socket.scope.defer(async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    tell(`cleaned up, the database is ${String(database)}`)
  })
})
closeWithGrace({ delay: 9_000, logger: false }, async () => app.close())
await listen(app)
