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
  chat.meetAt(app.websocketLifecycle)
  app.get<{ Querystring: Visit }>(
    '/room',
    {
      websocket: true,
      schema: { querystring: VISIT },
      groups: () => ['room', 'here'],
      keepalive: { interval: 3_000, timeout: 3_000 },
      inbox: { maxMessages: 32 },
      outbox: { maxBytes: 512 * 1024 },
      resume: { key: () => null, window: 30_000 },
      onSuspend(session, _request, close) {
        chat.away(session, close)
      },
      onResume(session, request) {
        chat.back(session, request)
      },
      async onMessage(session, _request, message) {
        await handle(chat, chat.memberOf(session), String(message))
      },
      onShutdown(session) {
        chat.sayGoodbye(session)
      },
      onUnexpectedClose(session, request, close) {
        request.log.warn({ cause: close.cause }, 'unexpected')
        chat.ran(session, 'onUnexpectedClose')
      },
      onClose(session) {
        chat.ran(session, 'onClose')
      },
    },
    (session, request) => {
      const member = chat.join(session, request.query)
      session.scope.defer(() => chat.leave(member))
      session.scope.defer(() => chat.takeNameBack(member))
      if (request.query.fault === 'throw') throw new Error('This handler throws')
    },
  )
}
