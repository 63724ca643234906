import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import type { ChatRoom } from './chat-room.js'
import { docs } from './docs.js'
import { page } from './page.js'
import { room } from './room.js'

/** How often the page is told how its clients stand, in ms. */
const PULSE = 250

/** The demo's server: a page, and the room that it talks to. */
export async function buildApp(
  chat: ChatRoom,
  options: FastifyServerOptions = {},
): Promise<FastifyInstance> {
  // Browsers hold spare connections on which they never ask: Node would wait a minute for them.
  const app = Fastify({ forceCloseConnections: true, ...options })

  await app.register(websocketLifecycle, {
    closeTimeout: 1_500,
    drain: { timeout: 4_000, spread: 300 },
    websocket: { maxPayload: 4_096 },
  })
  await app.register(room, { chat })
  await app.register(page)
  await app.register(docs)
  app.get('/board', () => chat.board())

  const pulse = setInterval(() => chat.pulse(), PULSE)
  app.addHook('onClose', () => clearInterval(pulse))
  return app
}
