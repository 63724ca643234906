// Everything that a connection can throw is thrown, and nobody listens to the process's events.
import Fastify from 'fastify'
import websocketLifecycle, { type LifecycleSocket } from '../../lib/index.js'
import { listen, tell } from './telling.js'

const app = Fastify()
const fail = (what: string) => (): never => {
  throw new Error(what)
}
// The types of ws ask for functions that return nothing; people give it asynchronous ones.
const reject = (what: string): (() => void) => {
  const rejecting = async (): Promise<never> => {
    throw new Error(what)
  }
  return rejecting
}
const told: string[] = []
await app.register(websocketLifecycle, {
  onHandlerError(_socket, _request, error) {
    told.push(error.message)
    throw new Error('even this')
  },
})

const handlers: Record<string, (socket: LifecycleSocket) => unknown> = {
  handler: fail('handler'),
  'async handler': reject('async handler'),
  listener: (socket) => socket.on('message', fail('listener')),
  'async listener': (socket) => socket.on('message', reject('async listener')),
  'event listener': (socket) => socket.addEventListener('message', reject('event listener')),
  'attribute listener': (socket) =>
    Object.assign(socket, { onmessage: reject('attribute listener') }),
  'send callback': (socket) => socket.send('x', reject('send callback')),
  'ping callback': (socket) => socket.ping('x', false, fail('ping callback')),
  'close listener': (socket) => socket.once('close', fail('close listener')).close(),
  release: (socket) => {
    socket.scope.defer(reject('release'))
    socket.close()
  },
}
for (const [name, handler] of Object.entries(handlers)) {
  app.get(`/${name.replaceAll(' ', '-')}`, { websocket: true }, handler)
}
const failing = {
  onClose: fail('onClose'),
  onUnexpectedClose: reject('onUnexpectedClose'),
}
app.get('/hooks', { websocket: true, ...failing }, (socket) => socket.on('message', fail('cause')))
app.get('/goodbye', { websocket: true, onShutdown: reject('onShutdown') }, () => {})
app.get('/echo', { websocket: true }, (socket) => {
  socket.on('message', (data: Buffer) => socket.send(data.toString()))
})

process.once('SIGTERM', () => {
  void app.close().then(() => {
    for (const message of told.toSorted()) tell(message)
    tell(`connections: ${app.websocketLifecycle.connections.size}`)
  })
})
await listen(app)
