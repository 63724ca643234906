import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Where to look. A connection takes a port too, any one above these (32768 on Linux, 49152 on macOS and Windows): one from
 * there may be gone when a program is started that is to listen on it, or when it has ended and comes back.
 */
const FIRST = 20_000
const COUNT = 10_000

/** A port of this machine that nobody listens on, and that nobody gets by chance. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + randomInt(COUNT)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue
      throw error
    }
    await once(server.close(), 'close')
    return port
  }
}
