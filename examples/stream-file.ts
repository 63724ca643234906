// Sends a file as fast as the client reads it. The file may be of any size: only a small part of it is in
// memory. Start it with `FILE=video.mp4 npx tsx examples/stream-file.ts`. The client gets the file from
// ws://127.0.0.1:3000/file.
import { open } from 'node:fs/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

const { FILE = import.meta.filename, PORT = '3000' } = process.env
const CHUNK = 65_536

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(websocketLifecycle)

  app.get('/file', { websocket: true }, async (socket, request) => {
    // Closes the file when the connection has ended, in whatever way. If it is over already, at once.
    const file = socket.scope.use(await open(FILE))
    let sent = 0
    void socket.closed.then(({ cause }) => {
      request.log.info({ cause, sent, fd: file.fd }, 'the file is closed') // its fd is -1 now
    })

    // Resolves with `true` when less than 64 KiB wait for the client, and with `false` when it has left.
    while (await socket.drained()) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK))
      if (bytesRead === 0) return socket.close(1000, 'that is all')
      socket.send(buffer.subarray(0, bytesRead))
      sent += bytesRead
    }
  })

  app.get('/waiting', async () =>
    Array.from(app.websocketLifecycle.connections, ({ bufferedAmount }) => bufferedAmount),
  )

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(PORT) })
}
