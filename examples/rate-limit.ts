// A limit for attempts to connect. Start it with `npx tsx examples/rate-limit.ts`, and connect eleven
// times within a minute with `npx wscat -c ws://127.0.0.1:3000/feed`.
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { CloseCode } from 'fastify-websocket-lifecycle'

const attempts = { max: 10, timeWindow: '1 minute' }

export async function build(): Promise<FastifyInstance> {
  // It counts by IP address. Behind a proxy that is the proxy's for all clients, unless you set `trustProxy`.
  const app = Fastify({ logger: true })
  await app.register(rateLimit, { global: false })
  await app.register(websocketLifecycle)

  app.get(
    '/feed',
    {
      websocket: true,
      // Answers 429 with Retry-After. The origin and `maxConnections` are checked before: they cost less.
      config: { rateLimit: attempts },
      // Runs after the limit, which is an onRequest hook: not for attempts that were refused.
      async preValidation(request) {
        request.log.info('who is it?')
      },
    },
    (socket) => socket.send('welcome'),
  )

  // A page does not see a 429. It sees 1013, and here also after how many seconds it may come back.
  const count = app.createRateLimit(attempts)
  app.get(
    '/page',
    {
      websocket: true,
      async onRequest(request, reply) {
        const attempt = await count(request)
        if (attempt.isAllowed || !attempt.isExceeded) return undefined
        return reply.refuseWebsocket(CloseCode.TryAgainLater, `${attempt.ttlInSeconds} s`)
      },
    },
    (socket) => socket.send('welcome'),
  )

  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
