import type { FastifyInstance } from 'fastify'
import { ACTS } from './acts.js'
import type { ChatRoom, Visit } from './chat-room.js'
import { handle } from './handle.js'

const VISIT = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    helper: { type: 'boolean' },
    act: { enum: Object.keys(ACTS) },
    fault: { enum: ['throw'] },
  },
}

/** The chat room. The page shows this route: it is all that its endings need. */
export async function room(app: FastifyInstance, { chat }: { chat: ChatRoom }): Promise<void> {
  app.get<{ Querystring: Visit }>(
    '/room',
    {
      websocket: true,
      schema: { querystring: VISIT },
      keepalive: { interval: 3_000, timeout: 3_000 },
      inbox: { maxMessages: 32 },
      outbox: { maxBytes: 512 * 1024 },
      async onMessage(socket, _request, message) {
        await handle(chat, chat.memberOf(socket), String(message))
      },
      onShutdown(socket) {
        chat.sayGoodbye(socket)
      },
      onUnexpectedClose(socket, request, close) {
        request.log.warn({ cause: close.cause }, 'unexpected')
        chat.ran(socket, 'onUnexpectedClose')
      },
      onClose(socket) {
        chat.ran(socket, 'onClose')
      },
    },
    (socket, request) => {
      const member = chat.join(socket, request.query)
      socket.scope.defer(() => chat.leave(member))
      const feed = chat.openFeed(member)
      socket.scope.defer(() => feed.end())
      if (request.query.fault === 'throw') throw new Error('This handler throws')
    },
  )
}
