import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** Ends a server that is no app, and its sockets, when the test is over. */
export function endServer(
  t: TestContext,
  server: { close(): unknown },
  ...sockets: Socket[]
): void {
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}
