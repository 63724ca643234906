// Hooks of @fastify/websocket run here as they did there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { WebSocket } from 'ws'
import websocketLifecycle from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { delivered } from '../support/time/delivered.js'
import { endWith } from '../support/servers/server.js'
import { sameOnBoth } from '../support/servers/both-worlds.js'

const isLast = (event: string): number => Number(event === 'response closed')
const hideOf = ({ schema }: RouteOptions): unknown => (schema as { hide?: boolean }).hide

describe('hooks', () => {
  const order = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler']

  sameOnBoth(
    "run in order before the handler; the reply's raw response closes with the connection",
    { open: order, ended: [...order, 'close', 'response closed'] },
    async ({ app, listen, note, noted, events }) => {
      app.addHook('onRequest', async (_request, reply) => {
        note('onRequest')
        reply.raw.on('close', () => note('response closed'))
      })
      app.addHook('preParsing', async () => note('preParsing'))
      app.addHook('preValidation', async () => note('preValidation'))
      app.addHook('preHandler', async () => note('preHandler'))
      app.addHook('preSerialization', async () => note('preSerialization'))
      app.addHook('onSend', async () => note('onSend'))
      app.get('/', { websocket: true }, (socket: WebSocket) => {
        note('handler')
        socket.on('close', () => note('close'))
      })
      const client = await connect(await listen())
      await noted(5)
      await delivered()
      const open = [...events]
      void client.close()
      await noted(7)
      return { open, ended: events.toSorted((a, b) => isLast(a) - isLast(b)) }
    },
  )

  sameOnBoth(
    'onSend and onResponse run for an upgrade that is refused',
    ['onRequest', 'onSend', 'onResponse 404', 'response closed'],
    async ({ app, listen, note, noted, events }) => {
      app.addHook('onRequest', async (_request, reply) => {
        note('onRequest')
        reply.raw.on('close', () => note('response closed'))
      })
      app.addHook('onSend', async () => note('onSend'))
      app.addHook('onResponse', async (_request, reply) => note(`onResponse ${reply.statusCode}`))
      await refusal(`${await listen()}/nowhere`)
      await noted(4)
      return events
    },
  )

  sameOnBoth(
    'of the route run too, and with a callback',
    ['onRequest', 'preHandler', 'handler'],
    async ({ app, listen, note, noted, events }) => {
      app.get(
        '/',
        {
          websocket: true,
          onRequest: (_request, _reply, done) => {
            note('onRequest')
            setImmediate(done)
          },
          preHandler: [
            (_request, _reply, done) => {
              note('preHandler')
              done()
            },
          ],
        },
        () => note('handler'),
      )
      await connect(await listen())
      await noted(3)
      return events
    },
  )

  sameOnBoth(
    'refuse: the client gets their answer, and the handler does not run',
    { status: 401, body: '{"error":"who?"}', header: 'Bearer', events: [] },
    async ({ app, listen, note, events }) => {
      app.addHook('onRequest', async (request, reply) => {
        if (request.headers.authorization !== undefined) return
        await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who?' })
      })
      app.get('/', { websocket: true }, () => note('handler'))
      const { status, body, headers } = await refusal(await listen())
      return { status, body, header: headers['www-authenticate'], events }
    },
  )

  sameOnBoth(
    "that throw are answered by the app's error handler",
    { status: 403, body: 'mine: not for you' },
    async ({ app, listen }) => {
      app.setErrorHandler<Error>((error, _request, reply) =>
        reply.code(403).send(`mine: ${error.message}`),
      )
      app.addHook('preHandler', async () => {
        throw new Error('not for you')
      })
      app.get('/', { websocket: true }, () => {})
      const { status, body } = await refusal(await listen())
      return { status, body }
    },
  )

  sameOnBoth(
    'onRoute of plugins that come after see that the schema of a WebSocket route is hidden',
    ['GET / true', 'HEAD / true'],
    async ({ app, listen }) => {
      const seen: string[] = []
      await app.register(
        fp(async (swagger) => {
          swagger.addHook('onRoute', (route) => {
            seen.push(`${String(route.method)} ${route.url} ${String(hideOf(route))}`)
          })
        }),
      )
      app.get('/', { websocket: true, schema: { querystring: { type: 'object' } } }, () => {})
      await listen()
      return seen
    },
  )

  for (const [name, plugin] of [
    ['@fastify/websocket', fastifyWebsocket],
    ['fastify-websocket-lifecycle', websocketLifecycle],
  ] as const) {
    test(`onRoute hooks from before ${name} find it hidden at the end`, async (t) => {
      const app = Fastify()
      endWith(t, app)
      const routes: RouteOptions[] = []
      app.addHook('onRoute', (route) => {
        routes.push(route)
      })
      await app.register(plugin)
      app.get('/', { websocket: true, schema: { querystring: { type: 'object' } } }, () => {})
      await app.ready()
      assert.deepEqual(routes.map(hideOf), [true, true])
    })
  }
})
