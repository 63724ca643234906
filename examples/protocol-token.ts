// A page can give a WebSocket no header but subprotocols: its token is offered as one, beside the one that is spoken. For
// pages whose requests bring no cookie (else see jwt-auth.ts). Start it with `npx tsx examples/protocol-token.ts`, get a
// token with `curl -X POST http://127.0.0.1:3000/login/ada`, and try it in the console of a browser, on any page:
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
  const app = Fastify({ logger: true }) // whoever logs headers, too, leaves out `sec-websocket-protocol`
  await app.register(jwt, {
    secret: process.env['JWT_SECRET'] ?? randomBytes(32).toString('hex'),
    verify: { requiredClaims: ['sub', 'exp'], extractToken: offeredToken },
  })
  await app.register(websocketLifecycle, {
    allowedOrigins: '*', // no browser adds the token by itself: a page has it, or is nobody
    websocket: {
      // What is chosen is told to the client, who has to have offered it. Without this ws takes the first: never the token!
      handleProtocols: (offered) => (offered.has('feed') ? 'feed' : false),
    },
  })

  // Stands for a login: here whoever asks is let in. The token is short-lived, as it may be logged on its way.
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

/** `feed, token.eyJh…`: the characters of a JWT may all stand in a subprotocol. Of another token make base64url, without `=`. */
function offeredToken({ headers }: FastifyRequest): string | undefined {
  return /(?:^|,)\s*token\.([^\s,]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
