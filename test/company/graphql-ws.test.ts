// graphql-ws, by its own adapter for Fastify.
import { buildSchema } from 'graphql'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { SCHEMA, subscribe } from './support/graphql.js'
import { describeSubscriptions, sum } from './support/subscriptions.js'

describeSubscriptions('graphql-ws', {
  route: '/graphql',
  leavesWith: 1000,
  add: (app, makeSource) => {
    const handler = makeHandler({
      schema: buildSchema(SCHEMA),
      roots: {
        query: { add: ({ x, y }: { x: number; y: number }) => sum(x, y) },
        subscription: {
          items: makeSource,
        },
      },
    })
    app.get('/graphql', { websocket: true }, handler)
  },
  subscribe: async (t, port) => subscribe(t, `ws://127.0.0.1:${port}/graphql`),
})
