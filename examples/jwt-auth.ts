// Each connection belongs to a user, who is known before it opens. It ends when the user's token ends. Start it
// with `npx tsx examples/jwt-auth.ts`, and try it in the console of a browser at http://127.0.0.1:3000:
// `const token = await (await fetch('/login/ada', { method: 'POST' })).text()` to get a cookie,
// `const ws = new WebSocket('ws://127.0.0.1:3000/feed')`, and `ws.send(token)` with a newer token.
import { randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { CloseCode } from 'fastify-websocket-lifecycle'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: { sub: string; exp: number }
  }
}

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(cookie)
  await app.register(jwt, {
    secret: process.env['JWT_SECRET'] ?? randomBytes(32).toString('hex'),
    cookie: { cookieName: 'token', signed: false },
    verify: { requiredClaims: ['sub', 'exp'] },
  })
  await app.register(websocketLifecycle)

  // Stands for a login: here everybody gets a token.
  app.post<{ Params: { user: string } }>('/login/:user', async ({ params }, reply) => {
    const token = app.jwt.sign({ sub: params.user }, { expiresIn: '15m' })
    reply.setCookie('token', token, { path: '/', httpOnly: true, secure: 'auto' })
    return token
  })

  app.get(
    '/feed',
    {
      websocket: true, // pages of other sites send the cookie, too: `allowedOrigins` refuses them by default
      refuse: 'close-frame', // a page sees a close code (4429, or 3000 from the hook), but no HTTP status
      preValidation: (request, reply) => request.jwtVerify().catch(() => reply.refuseWebsocket()),
      expiresAt: ({ user }) => user.exp * 1_000,
      maxConnectionsPerKey: { max: 5, key: ({ user }) => user.sub },
      // The client sends a newer token before the old one ends.
      onMessage(socket, { user }, message) {
        try {
          const { sub, exp } = app.jwt.verify<typeof user>(String(message))
          if (sub === user.sub) return socket.expireAt(exp * 1_000)
        } catch {}
        socket.close(CloseCode.Unauthorized, 'no token of yours')
      },
    },
    (socket, { user }) => socket.send(`hello, ${user.sub}`),
  )
  return app
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
