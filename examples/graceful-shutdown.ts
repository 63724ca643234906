// A deploy that clients hardly notice. Start it with `npx tsx examples/graceful-shutdown.ts`, connect
// with `npx wscat -c ws://127.0.0.1:3000/`, and end it with Ctrl+C or `kill`.
import closeWithGrace from 'close-with-grace'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

export async function build(): Promise<FastifyInstance> {
  // Browsers hold spare connections on which they never ask, and Node waits a minute for those: cut
  // them, with the HTTP requests that still run.
  const app = Fastify({ logger: true, forceCloseConnections: true })

  await app.register(websocketLifecycle, {
    drain: {
      timeout: 5_000, // by then all is over, whatever clients do
      spread: 1_000, // closed one after the other, they do not all come back at once
      reason: 'a new version is coming', // beside the code 1012, service restart
    },
    closeTimeout: 1_000, // for a client that does not answer our close frame
  })

  app.get(
    '/',
    {
      websocket: true,
      // Of all clients, before the first close frame leaves.
      onShutdown(socket) {
        socket.send('see you in a moment')
      },
      // Clients are gone, what the app holds is not: a cleanup may still use the database.
      async onClose(_socket, request, close) {
        request.log.info({ cause: close.cause, clean: close.clean }, 'presence saved')
      },
    },
    (socket) => {
      socket.send('welcome')
    },
  )

  // Runs when the cleanup of the last connection is over.
  app.addHook('onClose', async () => app.log.info('database closed'))

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  // Longer than drain.timeout: that one is the deadline, this one only guards it.
  closeWithGrace({ delay: 8_000, logger: app.log }, async ({ err }) => {
    if (err) app.log.error(err)
    await app.close()
  })
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
