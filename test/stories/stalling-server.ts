/**
 * A server whose loop stands still, each time for longer than the keepalive's timeout. At the first
 * message it begins; then it tells who is left.
 */
import Fastify from 'fastify'
import { fastifyWebsocketLifecycle } from '../../lib/index.js'
import { portOf } from '../support/servers/server.js'
import { stallEventLoop } from '../../lib/testing/stall.js'

const STALLS = 4
/** The peers run on the same machine, which may be busy: they must not be slower than this. */
const TIMEOUT = 600
const app = Fastify()
await app.register(fastifyWebsocketLifecycle, { keepalive: { interval: 200, timeout: TIMEOUT } })
app.get('/', { websocket: true }, (socket) => void socket.once('message', () => void begin()))
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(portOf(app))

async function begin(): Promise<void> {
  for (let stall = 0; stall < STALLS; stall++) {
    stallEventLoop(1.5 * TIMEOUT)
    // Long enough for the next pings to be on their way when the loop stops again.
    await new Promise((resolve) => setTimeout(resolve, 30 + 20 * stall))
  }
  const { websocketLifecycle } = app
  // The one that is frozen for good has no excuse: it goes as soon as the loop is well.
  while (websocketLifecycle.stats().closed['heartbeat-timeout'] === 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const { open, closed } = websocketLifecycle.stats()
  console.log(JSON.stringify({ open, dead: closed['heartbeat-timeout'] }))
  await app.close()
}
