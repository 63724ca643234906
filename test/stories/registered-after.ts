// @fastify/websocket is registered beside the plugin, after it.
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'

const app = Fastify()
await app.register(websocketLifecycle)
if (process.argv[2] === 'a child') {
  void app.register(async (child) => void child.register(fastifyWebsocket))
} else {
  void app.register(fastifyWebsocket)
}
await app.ready()
