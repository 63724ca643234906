// @fastify/jwt: a connection knows the user of the token of its upgrade, and ends with that token.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import jwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { type ManualClock, manualClock, type UpgradeRefusedError } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { assertBetween } from '../support/time/timed.js'
import { describeFeedStages, visitFeed } from './support/feed.js'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: { sub: string; exp: number }
  }
}

const addTokens = (app: FastifyInstance): unknown =>
  app.register(jwt, { secret: 'a secret of the tests', verify: { requiredClaims: ['sub', 'exp'] } })

function bearer(app: FastifyInstance, sub: string, expiresIn = '15m'): { authorization: string } {
  return { authorization: `Bearer ${app.jwt.sign({ sub }, { expiresIn })}` }
}

describeFeedStages('@fastify/jwt', {
  register: addTokens,
  know: ({ user }) => user.sub,
  options: { preValidation: async (request) => request.jwtVerify() },
  visit: async (app, line, count) => visitFeed(line, `user-${count}`, bearer(app, `user-${count}`)),
})

async function serveTokens(t: TestContext): Promise<{ app: FastifyInstance; clock: ManualClock }> {
  const app = Fastify()
  const clock = manualClock(app)
  t.after(() => clock.until(app.close()))
  await addTokens(app)
  await app.register(websocketLifecycle)
  app.get(
    '/feed',
    {
      websocket: true,
      preValidation: async (request) => request.jwtVerify(),
      expiresAt: ({ user }) => user.exp * 1_000,
      maxConnectionsPerKey: { max: 1, key: ({ user }) => user.sub },
    },
    (socket, { user }) => socket.send(`hello, ${user.sub}`),
  )
  return { app, clock }
}

describe('a token of @fastify/jwt', () => {
  test('that is missing, over or forged is refused before the 101', async (t) => {
    const { app } = await serveTokens(t)
    await app.ready()
    const over = app.jwt.sign({ sub: 'ann', exp: 1 })
    const forged = bearer(app, 'ann').authorization.slice(0, -4)
    for (const authorization of [undefined, `Bearer ${over}`, forged]) {
      const headers = authorization === undefined ? {} : { authorization }
      await assert.rejects(
        connect(app, '/feed', { headers }),
        ({ status }: UpgradeRefusedError) => status === 401,
      )
    }
    assert.equal(app.websocketLifecycle.stats().opened, 0)
  })

  test('ends its connection when it ends, and no other', async (t) => {
    const startedAt = Date.now()
    const { app, clock } = await serveTokens(t)
    await app.ready()
    const short = await connect(app, '/feed', { headers: bearer(app, 'ann', '1m') })
    const long = await connect(app, '/feed', { headers: bearer(app, 'bob', '1h') })
    assert.equal(await short.next(), 'hello, ann')
    assert.equal(await long.next(), 'hello, bob')
    // A manual clock stands still from its beginning, and tokens have times of the real one.
    const lag = Date.now() - startedAt
    const from = clock.now()
    assert.equal((await clock.until(short.closed)).code, 3000)
    assertBetween(clock.now() - from, 58_000, 61_000 + lag)
    assert.equal(app.websocketLifecycle.stats().closed['auth-expired'], 1)
    assert.equal(app.websocketLifecycle.connections.size, 1)
  })

  test('says who has the places of a limit of ours', async (t) => {
    const { app } = await serveTokens(t)
    await app.ready()
    const headers = bearer(app, 'ann')
    const first = await connect(app, '/feed', { headers })
    await assert.rejects(
      connect(app, '/feed', { headers }),
      ({ status }: UpgradeRefusedError) => status === 429,
    )
    await connect(app, '/feed', { headers: bearer(app, 'bob') })
    const [socket] = app.websocketLifecycle.connections
    await first.close()
    await socket?.closed
    assert.equal(await (await connect(app, '/feed', { headers })).next(), 'hello, ann')
  })
})
