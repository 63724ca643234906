// mercurius: GraphQL whose subscriptions are a WebSocket route of ours, where ours comes first.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest, type RouteOptions } from 'fastify'
import mercurius, { type MercuriusOptions } from 'mercurius'
import websocketLifecycle from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { openClient, SCHEMA, subscribe } from './support/graphql.js'
import { Source } from './support/source.js'
import { describeSubscriptionStages } from './support/subscription-stages.js'
import {
  assertGives,
  describeSubscriptions,
  fail,
  type Library,
  sum,
} from './support/subscriptions.js'

function withSource(makeSource: () => Source, more: MercuriusOptions = {}): MercuriusOptions {
  return {
    schema: SCHEMA,
    resolvers: {
      Query: { add: (_root: unknown, { x, y }: { x: number; y: number }) => sum(x, y), fail },
      Subscription: { items: { subscribe: makeSource } },
    },
    subscription: { fullWsTransport: true },
    ...more,
  }
}

const graphqlOf = (port: number): string => `ws://127.0.0.1:${port}/graphql`

const LIBRARY: Library = {
  route: '/graphql',
  leavesWith: 1000,
  add: async (app, makeSource) => app.register(mercurius, withSource(makeSource)),
  subscribe: async (t, port) => subscribe(t, graphqlOf(port)),
}

describeSubscriptions('mercurius', LIBRARY)
describeSubscriptionStages('mercurius', LIBRARY)

describe('the order of registration', () => {
  test('is ours first: mercurius registers a @fastify/websocket of its own, which ends the start', async (t) => {
    const app = Fastify()
    endWith(t, app)
    await app.register(
      mercurius,
      withSource(() => new Source()),
    )
    await app.register(websocketLifecycle)
    await assert.rejects(async () => app.ready(), {
      code: 'FST_ERR_WSL_ALREADY_REGISTERED',
    })
  })

  test('may be ours in the parent, and mercurius in a child', async (t) => {
    const source = new Source()
    const app = await serve(t, {
      routes: (app) => {
        void app.register(
          async (child) =>
            child.register(
              mercurius,
              withSource(() => source),
            ),
          { prefix: '/api' },
        )
      },
    })
    await assertGives(source, await subscribe(t, `ws://127.0.0.1:${portOf(app)}/api/graphql`))
  })
})

/** What mercurius alone would ask, beside a hook of the app's. */
async function serveGuarded(
  t: TestContext,
): Promise<{ app: FastifyInstance; source: Source; asked: string[] }> {
  const asked: string[] = []
  const source = new Source()
  const preValidation: RouteOptions['preValidation'] = async ({ headers }, reply) => {
    asked.push('hook')
    if (headers['x-user'] === undefined) await reply.code(401).send('who?')
  }
  const app = await serve(t, {
    routes: (app) => {
      void app.register(
        mercurius,
        withSource(() => source, {
          additionalRouteOptions: { preValidation },
          subscription: {
            fullWsTransport: true,
            verifyClient: (_info, next) => {
              asked.push('verifyClient')
              next(false)
            },
            context: (_socket: unknown, { headers }: FastifyRequest) => {
              asked.push(`context of ${String(headers['x-user'])}`)
              return {}
            },
          },
        }),
      )
    },
  })
  return { app, source, asked }
}

describe('authentication of subscriptions', () => {
  test("is not mercurius's verifyClient, which nobody asks where ours is first", async (t) => {
    const { app, source, asked } = await serveGuarded(t)
    const subscriber = await subscribe(t, graphqlOf(portOf(app)), { headers: { 'x-user': 'ann' } })
    await assertGives(source, subscriber)
    assert.deepEqual(asked, ['hook', 'context of ann'])
  })

  test('is that of a hook of its route, which refuses before the 101', async (t) => {
    const { app, asked } = await serveGuarded(t)
    const { status, body } = await refusal(graphqlOf(portOf(app)))
    assert.deepEqual({ status, body }, { status: 401, body: 'who?' })
    assert.deepEqual(asked, ['hook'])
    assert.equal(app.websocketLifecycle.stats().opened, 0)
  })

  test("or its onConnect, which ends the connection with mercurius's own code", async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        const subscription = { onConnect: async () => false }
        void app.register(
          mercurius,
          withSource(() => new Source(), { subscription }),
        )
      },
    })
    await assert.rejects(within(openClient(t, graphqlOf(portOf(app))), 'the end'))
  })
})
