// A CommonJS user without interop: the plugin is `module.exports`, the helpers hang on it.
import Fastify = require('fastify')
import websocketLifecycle = require('fastify-websocket-lifecycle')
import { exactly } from './exactly.js'

const app = Fastify()
app.register(websocketLifecycle, { keepalive: { interval: 25_000 } })
app.register(websocketLifecycle.default)
app.register(websocketLifecycle.fastifyWebsocketLifecycle)
app.get('/', { websocket: true }, (socket) => {
  exactly<string>()(socket.id)
})

const { CloseCode, ConnectionClosedError, isUnexpectedClose, truncateReason } = websocketLifecycle
exactly<boolean>()(isUnexpectedClose({ code: 1006 }, CloseCode.NormalClosure))
exactly<string>()(truncateReason('bye'))
exactly<boolean>()(({} as unknown) instanceof ConnectionClosedError)
