/** One contestant: an echo server that tells its parent what it costs. */
import type { AddressInfo } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

const app = Fastify()
await app.register(process.argv[2] === 'bare' ? fastifyWebsocket : websocketLifecycle)
app.get('/', { websocket: true }, (socket) => {
  socket.on('message', (message) => socket.send(message))
})
await app.listen({ host: '127.0.0.1', port: 0 })

process.on('message', () => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, heap: process.memoryUsage().heapUsed })
})
process.send?.((app.server.address() as AddressInfo).port)
