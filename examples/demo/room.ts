import type { FastifyInstance } from 'fastify'
import { hear } from './hear.js'
import type { House, Visit } from './house.js'

const VISIT = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    helper: { type: 'boolean' },
    fault: { enum: ['throw'] },
  },
}

/** The chat room. The page shows this route: it is all that its endings need. */
export async function room(app: FastifyInstance, { house }: { house: House }): Promise<void> {
  app.get<{ Querystring: Visit }>(
    '/room',
    {
      websocket: true,
      schema: { querystring: VISIT },
      keepalive: { interval: 3_000, timeout: 3_000 },
      inbox: { maxMessages: 32 },
      outbox: { maxBytes: 512 * 1024 },
      async onMessage(socket, _request, message) {
        await hear(house, house.seatOf(socket), String(message))
      },
      onShutdown(socket) {
        house.sayGoodbye(socket)
      },
      onUnexpectedClose(socket, request, close) {
        request.log.warn({ cause: close.cause }, 'lost one')
        house.ran(socket, 'onUnexpectedClose')
      },
      onClose(socket) {
        house.ran(socket, 'onClose')
      },
    },
    (socket, request) => {
      const seat = house.enter(socket, request.query)
      socket.scope.defer(() => house.leave(seat))
      const feed = house.openFeed(seat)
      socket.scope.defer(() => feed.end())
      if (request.query.fault === 'throw') throw new Error('This handler throws')
    },
  )
}
