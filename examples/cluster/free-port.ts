import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/**
 * Where to look. A connection takes a port too, any one above these (32768 on Linux, 49152 on macOS and Windows): one from
 * there may be gone when a program is started that is to listen on it, or when it has ended and comes back.
 */
const FIRST = 20_000
const COUNT = 10_000

/**
 * A port of this machine that nobody listens on, and that nobody else gets from here as long as this process lives: it
 * keeps the UDP port of the same number, which is no matter to a server on TCP.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + randomInt(COUNT)
    const mark = createSocket('udp4').bind({ port, address: '127.0.0.1', exclusive: true })
    const server = createServer()
    if ((await isListening(mark)) && (await isListening(server.listen(port, '127.0.0.1')))) {
      mark.unref()
      await once(server.close(), 'close')
      return port
    }
    mark.close()
  }
}

/** @returns false if the port is taken */
async function isListening(socket: Socket | Server): Promise<boolean> {
  try {
    await once(socket, 'listening')
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
}
