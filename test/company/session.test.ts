// @fastify/session: who has signed in over HTTP is known to a hook of the upgrade, and what a connection does to the
// session is there for the next request.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { within } from '../support/time/bound.js'
import { Client, refusal } from '../support/peers/client.js'
import { portOf, serve } from '../support/servers/server.js'
import { describeFeedStages, visitFeed } from './support/feed.js'
import { addSessions } from './support/session.js'

declare module 'fastify' {
  interface Session {
    user?: string
    visits?: number
  }
}

const ORDERS = ['before', 'after'] as const

interface World {
  readonly app: FastifyInstance
  readonly url: string
  /** Signs in over HTTP. @returns the headers of one who has */
  readonly signIn: (user: string) => Promise<{ cookie: string }>
  /** What a request over HTTP finds in the session. */
  readonly visits: (headers: { cookie: string }) => Promise<unknown>
}

async function knows({ session }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (session.user === undefined) await reply.code(401).send('sign in')
}

function addRoutes(app: FastifyInstance): void {
  app.post<{ Body: { user: string } }>('/sign-in', async ({ session, body }) => {
    session.user = body.user
    return session.user
  })
  app.get('/visits', async ({ session }) => ({ user: session.user, visits: session.visits ?? 0 }))
  app.get(
    '/feed',
    {
      websocket: true,
      preValidation: knows,
      onMessage: async (socket, { session }) => {
        session.visits = (session.visits ?? 0) + 1
        // What saves it by itself is an onSend hook, and an opened upgrade sends no answer.
        await session.save()
        socket.send(`${session.visits}`)
      },
      onClose: async (_socket, { session }, { code }) => {
        session.visits = code
        await session.save()
      },
    },
    (socket, { session }) => socket.send(`hello, ${session.user}`),
  )
  app.get(
    '/close',
    {
      websocket: true,
      preValidation: ({ session }, reply, done) => {
        if (session.user === undefined) reply.refuseWebsocket()
        else done()
      },
    },
    (socket, { session }) => socket.send(`hello, ${session.user}`),
  )
}

async function serveWorld(t: TestContext, order: (typeof ORDERS)[number]): Promise<World> {
  const app = await serve(t, {
    ...(order === 'before' && { before: addSessions }),
    routes: (app) => {
      void app.register(async (child) => {
        if (order === 'after') await addSessions(child)
        addRoutes(child)
      })
    },
  })
  const url = `127.0.0.1:${portOf(app)}`
  return {
    app,
    url: `ws://${url}`,
    signIn: async (user) => {
      const response = await fetch(`http://${url}/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user }),
      })
      const [set = ''] = response.headers.getSetCookie()
      return { cookie: set.split(';', 1).join() }
    },
    visits: async (headers) => (await fetch(`http://${url}/visits`, { headers })).json(),
  }
}

for (const order of ORDERS) {
  describe(`a session of a plugin that was registered ${order} ours`, () => {
    test('lets in who has signed in, each as who they are', async (t) => {
      const { url, signIn } = await serveWorld(t, order)
      for (const user of ['ann', 'bob']) {
        const client = await Client.open(`${url}/feed`, { headers: await signIn(user) })
        assert.equal(await client.next(), `hello, ${user}`)
      }
    })

    test('keeps out who has not, by a status or by a close frame', async (t) => {
      const { app, url } = await serveWorld(t, order)
      const { status, body } = await refusal(`${url}/feed`)
      assert.deepEqual({ status, body }, { status: 401, body: 'sign in' })
      const forged = { cookie: 'sessionId=forged.signature' }
      assert.equal((await refusal(`${url}/feed`, { headers: forged })).status, 401)
      const client = await Client.open(`${url}/close`)
      assert.equal((await within(client.closed, 'a close')).code, 3000)
      assert.equal(app.websocketLifecycle.stats().opened, 0)
    })

    test('has what a connection saved in it, also in onClose', async (t) => {
      const { app, url, signIn, visits } = await serveWorld(t, order)
      const headers = await signIn('ann')
      const client = await Client.open(`${url}/feed`, { headers })
      assert.equal(await client.next(), 'hello, ann')
      for (const count of ['1', '2']) {
        client.ws.send('visit')
        assert.equal(await client.next(), count)
      }
      assert.deepEqual(await visits(headers), { user: 'ann', visits: 2 })

      const [socket] = app.websocketLifecycle.connections
      client.ws.close(4000)
      await within(Promise.resolve(socket?.closed), 'the end')
      assert.deepEqual(await visits(headers), { user: 'ann', visits: 4000 })
    })
  })
}

describeFeedStages('@fastify/session', {
  register: addSessions,
  know: ({ session }) => session.user,
  options: { preValidation: knows },
  onClose: async ({ session }) => session.save(),
  routes: (app) => {
    app.post<{ Params: { user: string } }>('/sign-in/:user', async ({ session, params }) => {
      session.user = params.user
      return session.user
    })
  },
  visit: async (app, line, count) => {
    const user = `user-${count}`
    const { cookies } = await app.inject({ method: 'POST', url: `/sign-in/${user}` })
    const cookie = cookies
      .map(({ name, value }) => `${name}=${encodeURIComponent(value)}`)
      .join('; ')
    return visitFeed(line, user, { cookie })
  },
})
