// An app that was written for @fastify/websocket. Two lines change, the handlers do not. Start it
// with `npx tsx examples/migration.ts`, and chat with `npx wscat -c ws://127.0.0.1:3000/chat/tea`.
import type { WebSocket } from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
// - import websocket from '@fastify/websocket'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })

  // - await app.register(websocket, { options: { maxPayload: 65_536 } })
  await app.register(websocketLifecycle, { websocket: { maxPayload: 65_536 } })

  // From here on nothing has changed.
  app.get('/chat/:topic', { websocket: true }, chat)

  app.route({
    method: 'GET',
    url: '/time',
    handler: async () => ({ time: new Date().toISOString() }),
    wsHandler(socket) {
      socket.send(new Date().toISOString())
      socket.close()
    },
  })

  return app
}

type ChatRequest = FastifyRequest<{ Params: { topic: string } }>

function chat(this: FastifyInstance, socket: WebSocket, request: ChatRequest): void {
  socket.send(`you talk about ${request.params.topic}`)
  socket.on('message', (message: Buffer) => {
    for (const client of this.websocketServer.clients) client.send(message.toString())
  })
  socket.on('close', (code) => request.log.info({ code }, 'left the chat'))
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
