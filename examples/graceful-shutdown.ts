// A deploy that clients hardly notice. Start it with `npx tsx examples/graceful-shutdown.ts`, connect with
// `npx wscat -c ws://127.0.0.1:3000/`, and end it with Ctrl+C or `kill`. For five seconds /ready answers 503,
// and everybody is still served. Then all connections are closed. (A second Ctrl+C ends it at once.)
import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

/** ms. Long enough for your load balancer to ask /ready, and to send new clients to other processes. */
const WAIT = Number(process.env['WAIT'] ?? 5_000)
let isReady = true

export async function build(): Promise<FastifyInstance> {
  // Browsers keep spare connections open, and Node would wait a minute for them. This cuts them off, and
  // also the HTTP requests that still run.
  const app = Fastify({ logger: true, forceCloseConnections: true })
  await app.register(websocketLifecycle, {
    drain: {
      timeout: 5_000, // then no connection is left, also none of a client that does not answer
      spread: 1_000, // connections are closed one by one, so that clients do not all come back at once
      reason: 'a new version is coming', // with the code 1012, service restart
    },
    closeTimeout: 1_000, // for a client that does not answer our close frame
  })

  app.get('/ready', (_request, reply) => reply.code(isReady ? 200 : 503).send({ isReady }))
  app.get(
    '/',
    {
      websocket: true,
      // Runs for all clients, before the first close frame is sent.
      onShutdown: (socket) => socket.send('see you in a moment'),
      // The client is gone, but the database is still open: a cleanup may use it.
      async onClose(_socket, request, { cause, clean }) {
        request.log.info({ cause, clean }, 'presence saved')
      },
    },
    (socket) => socket.send('welcome'),
  )

  // Runs when the cleanup of the last connection is over.
  app.addHook('onClose', async () => app.log.info('database closed'))
  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  // Longer than WAIT and drain.timeout together: it ends the process only if something else hangs.
  closeWithGrace({ delay: WAIT + 8_000, logger: app.log }, async ({ err }) => {
    isReady = false
    if (err) app.log.error(err)
    else await delay(WAIT)
    await app.close()
  })
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
