// graphql-ws, by its own adapter for Fastify.
import assert from 'node:assert/strict'
import { buildSchema } from 'graphql'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { REFUSED, SCHEMA, subscribe } from './support/graphql.js'
import { describeSubscriptionStages } from './support/subscription-stages.js'
import { describeSubscriptions, fail, type Library, sum } from './support/subscriptions.js'

const LIBRARY: Library = {
  route: '/graphql',
  leavesWith: 1000,
  add: (app, makeSource) => {
    const handler = makeHandler({
      schema: buildSchema(SCHEMA),
      onSubscribe: (_context, _id, { query }) => {
        if (query === REFUSED) throw new Error('thrown by a hook of the app')
      },
      roots: {
        query: { add: ({ x, y }: { x: number; y: number }) => sum(x, y), fail },
        subscription: {
          items: makeSource,
        },
      },
    })
    app.get('/graphql', { websocket: true }, handler)
  },
  subscribe: async (t, port) => subscribe(t, `ws://127.0.0.1:${port}/graphql`),
}

describeSubscriptions('graphql-ws', LIBRARY)
describeSubscriptionStages('graphql-ws', LIBRARY, {
  'a hook of its own': {
    provoke: async ({ subscriber }) => assert.rejects(async () => subscriber.failInHook?.()),
    then: { cause: 'server-close', code: 4500 },
  },
})
