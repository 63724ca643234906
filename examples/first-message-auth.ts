// The first message is the token. If it does not come in time, the connection ends. This is for pages of
// another site, whose requests have no cookie. If there is a cookie or a header, prefer a hook (jwt-auth.ts):
// it refuses strangers before they have a connection. Start it with `npx tsx examples/first-message-auth.ts`,
// get a token with `curl -X POST http://127.0.0.1:3000/login/ada`, and paste it, within ten seconds, into
// `npx wscat -c ws://127.0.0.1:3000/chat`.
import { randomBytes } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { CloseCode } from 'fastify-websocket-lifecycle'

const { JWT_SECRET = randomBytes(32).toString('hex'), DEADLINE = '10000' } = process.env

export async function build(): Promise<FastifyInstance> {
  const app = Fastify({ logger: true })
  await app.register(jwt, { secret: JWT_SECRET, verify: { requiredClaims: ['sub', 'exp'] } })
  await app.register(websocketLifecycle)

  // Stands for a login: here everybody gets a token.
  app.post<{ Params: { user: string } }>('/login/:user', async ({ params }) =>
    app.jwt.sign({ sub: params.user }, { expiresIn: '15m' }),
  )

  app.get(
    '/chat',
    {
      websocket: true,
      allowedOrigins: ['https://app.example'],
      maxConnections: 10_000, // also counts clients that have sent no token yet
      maxConnectionsPerKey: { max: 20 }, // for each IP address
    },
    async (socket) => {
      socket.expireAt(Date.now() + Number(DEADLINE)) // then it is closed with 3000
      let user: User | undefined
      for await (const message of socket.messages()) {
        if (user === undefined) {
          user = read(app, String(message))
          if (user === undefined) return socket.close(CloseCode.Unauthorized)
          socket.expireAt(user.exp * 1_000)
          socket.send(`hello, ${user.sub}`)
        } else socket.send(`${user.sub} says ${String(message)}`)
      }
    },
  )
  return app
}

type User = { sub: string; exp: number }
function read(app: FastifyInstance, token: string): User | undefined {
  try {
    return app.jwt.verify(token)
  } catch {
    return undefined
  }
}

if (process.argv[1] === import.meta.filename) {
  const app = await build()
  await app.listen({ port: Number(process.env['PORT'] ?? 3000) })
}
