/** One contestant: an echo server that tells its parent what it costs. */
import type { AddressInfo } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

/** Each contestant's route: what it does with a message. */
const CONTESTANTS: Record<string, (app: FastifyInstance) => Promise<void>> = {
  bare: async (app) => {
    await app.register(fastifyWebsocket)
    app.get('/', { websocket: true }, (socket) => {
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
    })
  },
  'bare, as text': async (app) => {
    await app.register(fastifyWebsocket)
    app.get('/', { websocket: true }, (socket) => {
      socket.on('message', (message: Buffer) => socket.send(message.toString()))
    })
  },
  ours: async (app) => {
    await app.register(websocketLifecycle)
    app.get('/', { websocket: true }, (socket) => {
      socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
    })
  },
  'ours, onMessage': async (app) => {
    await app.register(websocketLifecycle)
    app.get(
      '/',
      { websocket: true, onMessage: (socket, _request, message) => socket.send(message) },
      () => {},
    )
  },
  'ours, async onMessage': async (app) => {
    await app.register(websocketLifecycle)
    app.get(
      '/',
      {
        websocket: true,
        async onMessage(socket, _request, message) {
          socket.send(message)
        },
      },
      () => {},
    )
  },
}

const app = Fastify()
await CONTESTANTS[process.argv[2] ?? '']?.(app)
await app.listen({ host: '127.0.0.1', port: 0 })

process.on('message', () => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, heap: process.memoryUsage().heapUsed })
})
process.send?.((app.server.address() as AddressInfo).port)
