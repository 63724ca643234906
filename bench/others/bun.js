/** Bun's own server, with its defaults: pings, and an idle timeout of 120 s. */
import { obey } from '../servers/control.ts'

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response(null, { status: 426 })
  },
  websocket: {
    message: (socket, message) => void socket.send(message),
  },
})

await obey(server.port, {
  /** Its connections are native: what they hold is in the RSS only. */
  memory() {
    Bun.gc(true)
    return { heap: null, rss: process.memoryUsage().rss }
  },
})
