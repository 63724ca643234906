import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import { websocketDashboard } from 'fastify-websocket-lifecycle/dashboard'
import type { ChatRoom } from './chat-room.js'
import { isFromHere } from './from-here.js'
import { docs } from './docs.js'
import { isLine, type Lines } from './lines.js'
import { page } from './page.js'
import { room } from './room.js'

/** How often the page is told how its clients stand, in ms. */
const PULSE = 250

const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/** The demo's server: a page, and the room that it talks to. */
export async function buildApp(
  chat: ChatRoom,
  lines: Lines,
  options: FastifyServerOptions = {},
): Promise<FastifyInstance> {
  // Browsers hold spare connections on which they never ask: Node would wait a minute for them.
  const app = Fastify({ forceCloseConnections: true, ...options })

  await app.register(websocketLifecycle, {
    closeTimeout: 1_500,
    drain: { timeout: 4_000, spread: 300, reconnectWindow: 3_000 },
    ignoreUpgrade: isLine,
    websocket: { maxPayload: 4_096 },
  })
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isLine(request)) lines.take(request, head)
    // Whoever listens gets the upgrades of all others, too. Unanswered, they would hold up the end of the server.
    else socket.end(NOT_FOUND)
  })
  app.addHook('preClose', async () => lines.close())
  await app.register(room, { chat })
  await app.register(page)
  await app.register(docs)
  await app.register(websocketDashboard, { prefix: '/admin', authorize: isFromHere })
  app.get('/board', () => chat.board())

  const pulse = setInterval(() => chat.pulse(), PULSE)
  app.addHook('onClose', () => clearInterval(pulse))
  return app
}
