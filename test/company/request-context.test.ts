// @fastify/request-context: wherever its connection calls the app, the store of that upgrade is seen.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import requestContext, {
  type Hook,
  requestContext as current,
  type RequestContextData,
} from '@fastify/request-context'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { describeFeedStages, visitFeed } from './support/feed.js'
import { Client } from '../support/peers/client.js'
import { portOf, serve } from '../support/servers/server.js'

declare module '@fastify/request-context' {
  interface RequestContextData {
    user: string
  }
}

const ORDERS = ['before', 'after'] as const
const HOOKS: readonly Hook[] = ['onRequest', 'preValidation', 'preHandler']

interface World {
  readonly app: FastifyInstance
  /** Whose store was seen at each place that was called for a user, in order. */
  readonly seen: Readonly<Record<'ann' | 'bob', Array<[place: string, user: string | undefined]>>>
  readonly open: (path: string, user: 'ann' | 'bob') => Promise<Client>
}

type See = (request: FastifyRequest, place: string) => void

function whose({ headers }: FastifyRequest): 'ann' | 'bob' {
  return headers['x-user'] === 'ann' ? 'ann' : 'bob'
}

const storeOf = (request: FastifyRequest): RequestContextData => ({ user: whose(request) })

/** What all routes note, beside their messages. */
function noting(see: See): RouteLifecycleOptions {
  return {
    onShutdown: async (_socket, request) => {
      await turn()
      see(request, 'onShutdown')
    },
    onUnexpectedClose: (_socket, request) => see(request, 'onUnexpectedClose'),
    onClose: async (_socket, request) => {
      await turn()
      see(request, 'onClose')
    },
  }
}

function opened({ scope }: LifecycleSocket, request: FastifyRequest, see: See): void {
  see(request, 'handler')
  scope.signal.addEventListener('abort', () => see(request, 'abort'))
  scope.defer(() => see(request, 'release'))
}

/** Routes that read their messages in each way that there is, and answer when others were served, too. */
function addRoutes(app: FastifyInstance, see: See): void {
  const answer = async (
    socket: LifecycleSocket,
    request: FastifyRequest,
    message: unknown,
  ): Promise<void> => {
    see(request, 'message')
    await turn()
    see(request, 'later')
    socket.send(`echo ${String(message)}`)
  }
  app.get('/onMessage', { websocket: true, ...noting(see), onMessage: answer }, (socket, request) =>
    opened(socket, request, see),
  )
  app.get('/messages', { websocket: true, ...noting(see) }, async (socket, request) => {
    opened(socket, request, see)
    for await (const message of socket.messages()) await answer(socket, request, message)
    see(request, 'loop over')
  })
  app.get('/listener', { websocket: true, ...noting(see) }, (socket, request) => {
    opened(socket, request, see)
    socket.on('message', async (message: Buffer) => answer(socket, request, message))
    socket.on('close', () => see(request, 'close'))
  })
}

async function serveWorld(
  t: TestContext,
  order: (typeof ORDERS)[number],
  hook: Hook,
): Promise<World> {
  const seen: World['seen'] = { ann: [], bob: [] }
  const see: See = (request, place) => void seen[whose(request)].push([place, current.get('user')])
  const register = (app: FastifyInstance): unknown =>
    app.register(requestContext, { hook, defaultStoreValues: storeOf })
  const app = await serve(t, {
    ...(order === 'before' && { before: register }),
    routes: (app) => {
      if (order === 'after') void register(app)
      void app.register(async (child) => addRoutes(child, see))
    },
  })
  return {
    app,
    seen,
    open: async (path, user) =>
      Client.open(`ws://127.0.0.1:${portOf(app)}${path}`, { headers: { 'x-user': user } }),
  }
}

/** Both at once, so that what is served of one comes between what is served of the other. */
async function exchange(...clients: Client[]): Promise<void> {
  for (const client of clients) for (const text of ['1', '2', '3']) client.ws.send(text)
  for (const client of clients) {
    for (const text of ['1', '2', '3']) {
      assert.equal(await within(client.next(), 'an answer'), `echo ${text}`)
    }
  }
}

const END_OF_READING: Readonly<Record<string, readonly string[]>> = {
  '/onMessage': [],
  '/messages': ['loop over'],
  '/listener': ['close'],
}

for (const order of ORDERS) {
  for (const hook of HOOKS) {
    describe(`a store made in ${hook}, by a plugin that was registered ${order} ours`, () => {
      for (const [path, endOfReading] of Object.entries(END_OF_READING)) {
        test(`is that of the own upgrade at ${path}`, async (t) => {
          const { app, seen, open } = await serveWorld(t, order, hook)
          const ann = await open(path, 'ann')
          const bob = await open(path, 'bob')
          await exchange(ann, bob)
          ann.ws.close(4000)
          await ann.closed
          await exchange(bob)
          const again = await open(path, 'ann')
          await exchange(again, bob)
          await within(app.close(), 'app.close()')

          const places = ['abort', 'handler', 'later', 'message', 'onClose', 'release']
          const of = {
            ann: [...places, ...endOfReading, 'onShutdown', 'onUnexpectedClose'],
            bob: [...places, ...endOfReading, 'onShutdown'],
          }
          for (const user of ['ann', 'bob'] as const) {
            assert.deepEqual(new Set(seen[user].map(([place]) => place)), new Set(of[user]))
            const strange = seen[user].filter(([, whose]) => whose !== user)
            assert.deepEqual(strange, [])
          }
        })
      }
    })
  }
}

describeFeedStages('@fastify/request-context', {
  register: (app) =>
    app.register(requestContext, {
      defaultStoreValues: ({ headers }: FastifyRequest) => ({ user: String(headers['x-user']) }),
    }),
  know: () => current.get('user'),
  visit: async (_app, line, count) =>
    visitFeed(line, `user-${count}`, { 'x-user': `user-${count}` }),
})
