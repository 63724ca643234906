// Routes of @fastify/websocket are here what they were there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import websocketLifecycle from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { makeWorld, sameOnBoth, sendUrl } from '../support/servers/both-worlds.js'

describe('routes', () => {
  sameOnBoth(
    'under a prefix answer with and without the trailing slash',
    ['/p', '/p/'],
    async ({ app, listen }) => {
      await app.register(
        async (child) => {
          child.get('/', { websocket: true }, (socket: WebSocket, request: FastifyRequest) =>
            socket.send(request.url),
          )
        },
        { prefix: '/p' },
      )
      const url = await listen()
      const clients = [await connect(`${url}/p`), await connect(`${url}/p/`)]
      return Promise.all(clients.map(async (client) => client.next()))
    },
  )

  sameOnBoth(
    'under a prefix keep to their prefixTrailingSlash',
    { '/no-slash': 'opened', '/no-slash/': 404, '/slash': 404, '/slash/': 'opened' },
    async ({ app, listen }) => {
      for (const prefixTrailingSlash of ['no-slash', 'slash'] as const) {
        await app.register(
          async (child) => {
            child.get('/', { websocket: true, prefixTrailingSlash }, (socket: WebSocket) =>
              socket.send('opened'),
            )
          },
          { prefix: `/${prefixTrailingSlash}` },
        )
      }
      const url = await listen()
      return {
        '/no-slash': await (await connect(`${url}/no-slash`)).next(),
        '/no-slash/': (await refusal(`${url}/no-slash/`)).status,
        '/slash': (await refusal(`${url}/slash`)).status,
        '/slash/': await (await connect(`${url}/slash/`)).next(),
      }
    },
  )

  sameOnBoth(
    'of any shape are found: parameters, wildcards, constraints',
    ['/a/1', '/w/x/y', 'v2'],
    async ({ app, listen }) => {
      app.get('/a/:id', { websocket: true }, sendUrl)
      app.get('/w/*', { websocket: true }, sendUrl)
      app.get('/v', { websocket: true, constraints: { version: '1.0.0' } }, sendUrl)
      app.get('/v', { websocket: true, constraints: { version: '2.0.0' } }, (socket: WebSocket) =>
        socket.send('v2'),
      )
      const url = await listen()
      const clients = [
        await connect(`${url}/a/1`),
        await connect(`${url}/w/x/y`),
        await connect(url, '/v', { headers: { 'accept-version': '2.x' } }),
      ]
      return Promise.all(clients.map(async (client) => client.next()))
    },
  )

  sameOnBoth(
    'check their schema before the 101, and coerce',
    { status: 400, code: 'FST_ERR_VALIDATION', page: 2 },
    async ({ app, listen }) => {
      const schema = {
        querystring: {
          type: 'object',
          required: ['page'],
          properties: { page: { type: 'integer' } },
        },
      }
      app.get('/', { websocket: true, schema }, (socket: WebSocket, request: FastifyRequest) =>
        socket.send(JSON.stringify(request.query)),
      )
      const url = await listen()
      const { status, body } = await refusal(url)
      const client = await connect(url, '/?page=2', { parse: JSON.parse })
      return { status, code: JSON.parse(body).code, ...(await client.next()) }
    },
  )

  sameOnBoth(
    'answer plain requests as before: 404, or the HTTP handler beside a wsHandler',
    {
      'GET /ws': 404,
      'HEAD /ws': [404, ''],
      'POST /ws': [
        404,
        '{"message":"Route POST:/ws not found","error":"Not Found","statusCode":404}',
      ],
      'GET /both': [200, 'http'],
      'HEAD /both': [200, ''],
    },
    async ({ app }) => {
      app.get('/ws', { websocket: true }, () => {})
      app.route({ method: 'GET', url: '/both', handler: async () => 'http', wsHandler: () => {} })
      const answers: Record<string, unknown> = {}
      for (const [method, url] of [
        ['GET', '/ws'],
        ['HEAD', '/ws'],
        ['POST', '/ws'],
        ['GET', '/both'],
        ['HEAD', '/both'],
      ] as const) {
        const { statusCode, body } = await app.inject({ method, url })
        // Ours says what the route is: see registration.test.ts.
        const name = `${method} ${url}`
        answers[name] = name === 'GET /ws' ? statusCode : [statusCode, body]
      }
      return answers
    },
  )

  sameOnBoth(
    'answer plain requests over the network as before',
    { ws: 404, both: 'http', plain: 'plain false' },
    async ({ app, listen }) => {
      app.get('/ws', { websocket: true }, () => {})
      app.route({ method: 'GET', url: '/both', handler: async () => 'http', wsHandler: () => {} })
      app.get('/plain', (request, reply) => reply.send(`plain ${request.ws}`))
      const url = (await listen()).replace('ws:', 'http:')
      return {
        ws: (await fetch(`${url}/ws`)).status,
        both: await (await fetch(`${url}/both`)).text(),
        plain: await (await fetch(`${url}/plain`)).text(),
      }
    },
  )

  sameOnBoth(
    'have a HEAD twin where Fastify makes one, and may ask for GET and HEAD themselves',
    { twins: ['GET /', 'HEAD /'], asked: 'both' },
    async ({ app, listen }) => {
      const twins: string[] = []
      app.addHook('onRoute', ({ method, url }) => {
        if (url === '/') twins.push(`${String(method)} ${url}`)
      })
      app.get('/', { websocket: true }, () => {})
      app.route({
        method: ['GET', 'HEAD'],
        url: '/asked',
        websocket: true,
        handler: (socket: WebSocket) => socket.send('both'),
      })
      return { twins, asked: await (await connect(`${await listen()}/asked`)).next() }
    },
  )

  sameOnBoth(
    'of another method are refused where they are declared',
    'websocket handler can only be declared in GET method',
    async ({ app }) => {
      try {
        app.post('/', { websocket: true } as object, async () => {})
        return 'declared'
      } catch (error) {
        return (error as Error).message
      }
    },
  )

  sameOnBoth(
    'whose wsHandler is no function are refused where they are declared',
    'invalid wsHandler function',
    async ({ app }) => {
      try {
        app.route({ method: 'GET', url: '/', handler: async () => '', wsHandler: 'x' as never })
        return 'declared'
      } catch (error) {
        return (error as Error).message
      }
    },
  )

  test("leave the user's own schema and config objects as they are", async (t) => {
    const { app } = await makeWorld(t, (app) => app.register(websocketLifecycle))
    const schema = { querystring: { type: 'object' } }
    const config = Object.freeze({ custom: 'mine' })
    app.get('/one', { websocket: true, schema, config }, () => {})
    app.get('/two', { websocket: true, schema }, () => {})
    app.get('/three', { schema }, async () => 'http')
    await app.ready()
    assert.deepEqual(Object.keys(schema), ['querystring'])
    assert.equal((await app.inject('/three')).body, 'http')
  })

  test('of HTTP are not hidden', async (t) => {
    const { app } = await makeWorld(t, (app) => app.register(websocketLifecycle))
    const hidden: unknown[] = []
    app.addHook('onRoute', ({ schema }) => {
      hidden.push(schema === undefined ? undefined : Reflect.get(schema, 'hide'))
    })
    app.get('/http', async () => 'http')
    app.route({ method: 'GET', url: '/both', handler: async () => 'http', wsHandler: () => {} })
    await app.ready()
    assert.deepEqual(hidden, [undefined, undefined, undefined, undefined])
  })
})
