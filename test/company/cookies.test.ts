// @fastify/cookie and @fastify/session: the cookies of an upgrade's hooks are on its 101.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { within } from '../support/time/bound.js'
import { portOf, serve } from '../support/servers/server.js'
import { addSessions } from './support/session.js'

declare module 'fastify' {
  interface Session {
    user?: string
  }
}

const ORDERS = ['before', 'after'] as const

async function serveCookies(t: TestContext, order: (typeof ORDERS)[number]): Promise<number> {
  const app = await serve(t, {
    ...(order === 'before' && { before: addSessions }),
    routes: (app) => {
      void app.register(async (child) => {
        if (order === 'after') await addSessions(child)
        child.get('/user', async ({ session }) => session.user ?? 'nobody')
        child.get(
          '/cookie',
          {
            websocket: true,
            preValidation: async (_request, reply) => void reply.setCookie('seen', 'yes'),
          },
          () => {},
        )
        child.get(
          '/session',
          {
            websocket: true,
            // The session's own cookie is set in an `onSend` hook, and a 101 has none.
            preValidation: async (request, reply) => {
              const { session } = request
              session.user = 'ann'
              await session.save()
              reply.setCookie('sessionId', session.encryptedSessionId, {
                path: '/',
                httpOnly: true,
              })
            },
          },
          () => {},
        )
      })
    },
  })
  return portOf(app)
}

/** The cookies of a 101, as a client sends them back. */
async function cookiesOf(port: number, path: string): Promise<string> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  const upgraded = once(ws, 'upgrade') as Promise<[IncomingMessage]>
  const [{ headers }] = await within(upgraded, 'the 101')
  ws.terminate()
  return (headers['set-cookie'] ?? []).map((set) => set.split(';', 1).join()).join('; ')
}

for (const order of ORDERS) {
  describe(`cookies of plugins that were registered ${order} ours`, () => {
    test('which a hook has set are on the 101', async (t) => {
      const port = await serveCookies(t, order)
      assert.equal(await cookiesOf(port, '/cookie'), 'seen=yes')
    })

    test('by which a session is known that a hook has begun are on the 101', async (t) => {
      const port = await serveCookies(t, order)
      const headers = { cookie: await cookiesOf(port, '/session') }
      const response = await fetch(`http://127.0.0.1:${port}/user`, { headers })
      assert.equal(await response.text(), 'ann')
    })
  })
}
