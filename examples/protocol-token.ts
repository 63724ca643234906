// A page cannot set headers of a WebSocket, only subprotocols. Here it offers two: the real one, and its token. This is for
// pages whose requests have no cookie (with a cookie see jwt-auth.ts). Start it with `npx tsx examples/protocol-token.ts`,
// get a token with `curl -X POST http://127.0.0.1:3000/login/ada`, and try it in the console of a browser, on any page:
// `new WebSocket('ws://127.0.0.1:3000/feed', ['feed', 'token.' + token]).onmessage = console.log`
import { randomBytes } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: { sub: string; exp: number }
  }
}

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true }) // if you also log headers, leave out `sec-websocket-protocol`
  await app.register(jwt, {
    secret: process.env['JWT_SECRET'] ?? randomBytes(32).toString('hex'),
    verify: { requiredClaims: ['sub', 'exp'], extractToken: offeredToken },
  })
  await app.register(websocketLifecycle, {
    allowedOrigins: '*', // safe here: a browser never adds the token by itself, as it does with a cookie
    websocket: {
      // The answer names the chosen subprotocol. Without this ws chooses the first one: it must never be the token!
      handleProtocols: (offered) => (offered.has('feed') ? 'feed' : false),
    },
  })

  // Stands for a login: here everybody gets a token. It ends soon, because a proxy may log it.
  app.post<{ Params: { user: string } }>('/login/:user', async ({ params }) =>
    app.jwt.sign({ sub: params.user }, { expiresIn: '5m' }),
  )

  app.get(
    '/feed',
    {
      websocket: true,
      preValidation: (request, reply) => request.jwtVerify().catch(() => reply.refuseWebsocket()),
      expiresAt: ({ user }) => user.exp * 1_000,
    },
    (socket, { user }) => socket.send(`hello, ${user.sub}`),
  )
  return app
}

/** From `feed, token.eyJh…`. All characters of a JWT are allowed there. Encode any other token as base64url, without `=`. */
function offeredToken({ headers }: FastifyRequest): string | undefined {
  return /(?:^|,)\s*token\.([^\s,]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
