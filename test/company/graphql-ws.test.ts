// graphql-ws, by its own adapter for Fastify.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { buildSchema } from 'graphql'
import { makeHandler } from 'graphql-ws/use/@fastify/websocket'
import { link, type Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { serve } from '../support/servers/server.js'
import { within } from '../support/time/bound.js'
import { openClient, REFUSED, SCHEMA, subscribe } from './support/graphql.js'
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

/** As the page of neighbours has it. */
function keepSubprotocols({ websocketServer }: FastifyInstance): void {
  Object.defineProperty(websocketServer.options, 'handleProtocols', {
    get: () => (offered: ReadonlySet<string>) => [...offered][0] ?? false,
    set: () => {},
  })
}

describe('what graphql-ws does to connections by itself', () => {
  const schema = buildSchema(SCHEMA)

  test('are pings: what they find is a `server-terminate`, unless they are turned off', async (t) => {
    const app = await serve(t, {
      routes: (app) => void app.get('/graphql', { websocket: true }, makeHandler({ schema }, 50)),
    })
    const line = await link(app)
    await openClient(t, `${line.url}/graphql`)
    const [socket] = app.websocketLifecycle.connections
    line.cut()
    assert.equal(
      (await within(Promise.resolve(socket?.closed), 'the end'))?.cause,
      'server-terminate',
    )
  })

  async function serveOther(t: TestContext, keep: boolean): Promise<Peer[]> {
    const app = await serve(t, {
      routes: (app) => {
        if (keep) keepSubprotocols(app)
        app.get('/graphql', { websocket: true }, makeHandler({ schema }))
        app.get('/other', { websocket: true }, () => {})
      },
    })
    const open = async (path: string, protocol: string): Promise<Peer> =>
      connect(app, path, { protocols: [protocol] })
    const before = await open('/other', 'other')
    const theirs = await open('/graphql', 'graphql-transport-ws')
    return [before, theirs, await open('/other', 'other')]
  }

  test('is to choose the subprotocols of all routes, from its first connection on', async (t) => {
    const protocols = (await serveOther(t, false)).map(({ protocol }) => protocol)
    assert.deepEqual(protocols, ['other', 'graphql-transport-ws', ''])
  })

  test('is no more than that, where the app has fixed who chooses them', async (t) => {
    const protocols = (await serveOther(t, true)).map(({ protocol }) => protocol)
    assert.deepEqual(protocols, ['other', 'graphql-transport-ws', 'other'])
  })
})
