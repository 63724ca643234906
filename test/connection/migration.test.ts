// What was written for @fastify/websocket works unchanged: the same scenarios, on both.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest, type RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createWebSocketStream, WebSocket, type CloseEvent, type MessageEvent } from 'ws'
import websocketLifecycle, { type CloseInfo, type LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { Client, refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { endWith, portOf, serve } from '../support/servers/server.js'

interface World {
  readonly app: FastifyInstance
  /** What was noted, in order. */
  readonly events: string[]
  readonly note: (event: string) => void
  /** Resolves when so many events were noted. */
  readonly noted: (count: number) => Promise<void>
  readonly listen: () => Promise<string>
}

async function makeWorld(
  t: TestContext,
  register: (app: FastifyInstance) => PromiseLike<unknown>,
): Promise<World> {
  const app = Fastify()
  endWith(t, app)
  await register(app)
  const events: string[] = []
  let wake: (() => void) | undefined
  return {
    app,
    events,
    note(event) {
      events.push(event)
      wake?.()
    },
    async noted(count) {
      while (events.length < count) {
        await within(
          new Promise<void>((resolve) => {
            wake = resolve
          }),
          `event ${count} after ${events.join(', ')}`,
        )
      }
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 })
      return `ws://127.0.0.1:${portOf(app)}`
    },
  }
}

/** Runs a scenario on @fastify/websocket and on the plugin: both must show what is expected. */
function sameOnBoth(
  name: string,
  expected: unknown,
  scenario: (world: World, t: TestContext) => Promise<unknown>,
): void {
  test(name, async (t) => {
    const bare = await makeWorld(t, (app) => app.register(fastifyWebsocket))
    assert.deepEqual(await scenario(bare, t), expected, 'on @fastify/websocket')
    const ours = await makeWorld(t, (app) => app.register(websocketLifecycle))
    assert.deepEqual(await scenario(ours, t), expected, 'on fastify-websocket-lifecycle')
  })
}

/** Sends a message and takes the answer. */
async function ask(client: Client, message: string): Promise<string> {
  client.ws.send(message)
  return within(client.next(), 'an answer')
}

function echo(socket: WebSocket): void {
  socket.on('message', (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }))
}

function sendUrl(socket: WebSocket, request: FastifyRequest): void {
  socket.send(request.url)
}

function sendOwner(this: FastifyInstance, socket: WebSocket): void {
  socket.send(`${this.prefix} ${String(Reflect.get(this, 'owner'))}`)
}

describe('a handler', () => {
  sameOnBoth('of a `websocket: true` route gets a socket and the request', 'hi', async (world) => {
    world.app.get('/', { websocket: true }, (socket: WebSocket, _request: FastifyRequest) =>
      echo(socket),
    )
    return ask(await Client.open(await world.listen()), 'hi')
  })

  sameOnBoth(
    'may stand in the options, and in a full route',
    ['short', 'full'],
    async ({ app, listen }) => {
      app.get('/short', { websocket: true, handler: (socket) => socket.send('short') })
      app.route({
        method: 'GET',
        url: '/full',
        websocket: true,
        handler: (socket) => socket.send('full'),
      })
      const url = await listen()
      const clients = [await Client.open(`${url}/short`), await Client.open(`${url}/full`)]
      return Promise.all(clients.map(async (client) => client.next()))
    },
  )

  sameOnBoth(
    'called `wsHandler` stands beside an HTTP handler',
    { http: 'http', websocket: 'websocket' },
    async ({ app, listen }) => {
      app.route({
        method: 'GET',
        url: '/both',
        handler: async (request) => (request.ws ? 'never' : 'http'),
        wsHandler: (socket) => socket.send('websocket'),
      })
      const client = await Client.open(`${await listen()}/both`)
      return { http: (await app.inject('/both')).body, websocket: await client.next() }
    },
  )

  sameOnBoth(
    'has the encapsulated instance as `this`',
    ['/rooms child', '/rooms child'],
    async ({ app, listen }) => {
      app.decorate('name', 'root')
      await app.register(
        async (child) => {
          child.decorate('owner', 'child')
          child.get('/one', { websocket: true }, sendOwner)
          child.route({ method: 'GET', url: '/two', handler: async () => '', wsHandler: sendOwner })
        },
        { prefix: '/rooms' },
      )
      const url = await listen()
      const clients = [await Client.open(`${url}/rooms/one`), await Client.open(`${url}/rooms/two`)]
      return Promise.all(clients.map(async (client) => client.next()))
    },
  )

  sameOnBoth(
    'sees what hooks and decorators put on the request',
    {
      user: 'ada',
      params: { id: '7' },
      query: { page: '2' },
      token: 'secret',
      ws: true,
      method: 'GET',
      url: '/rooms/7?page=2',
      routeUrl: '/rooms/:id',
      config: 'mine',
      body: null,
      ip: '127.0.0.1',
    },
    async ({ app, listen }) => {
      app.decorateRequest('user', '')
      app.addHook('onRequest', async (request) => void Reflect.set(request, 'user', 'ada'))
      app.get(
        '/rooms/:id',
        { websocket: true, config: { custom: 'mine' } },
        (socket: WebSocket, request) => {
          const { params, query, headers, ws, method, url, routeOptions, body, ip } = request
          const about = {
            user: Reflect.get(request, 'user') as unknown,
            params,
            query,
            token: headers['x-token'],
            ws,
            method,
            url,
            routeUrl: routeOptions.url,
            config: (routeOptions.config as unknown as { custom: string }).custom,
            body: body ?? null,
            ip,
          }
          socket.send(JSON.stringify(about))
        },
      )
      const url = `${await listen()}/rooms/7?page=2`
      const client = await Client.open(url, { headers: { 'x-token': 'secret' } })
      return JSON.parse(await client.next())
    },
  )

  sameOnBoth(
    'gets a socket that is one of ws',
    { instance: true, readyState: 1, protocol: '', extensions: '', binaryType: 'nodebuffer' },
    async ({ app, listen }) => {
      app.get('/', { websocket: true }, (socket: WebSocket) => {
        const { readyState, protocol, extensions, binaryType } = socket
        const instance = socket instanceof WebSocket
        socket.send(JSON.stringify({ instance, readyState, protocol, extensions, binaryType }))
      })
      const client = await Client.open(await listen())
      return JSON.parse(await client.next())
    },
  )

  sameOnBoth(
    'gets messages, pings, pongs and the close, as ws gives them',
    ['text hi', 'binary hi', 'ping !', 'pong ?', 'close 4001 bye'],
    async ({ app, listen, note, noted, events }) => {
      app.get('/', { websocket: true }, (socket: WebSocket) => {
        socket.on('message', (data: Buffer, isBinary) =>
          note(`${isBinary ? 'binary' : 'text'} ${data.toString()}`),
        )
        socket.on('ping', (data: Buffer) => note(`ping ${data.toString()}`))
        socket.on('pong', (data: Buffer) => note(`pong ${data.toString()}`))
        socket.on('close', (code, reason) => note(`close ${code} ${reason.toString()}`))
        socket.on('error', (error) => note(`error ${error.message}`))
        socket.ping('?')
      })
      const client = new Client(await listen())
      await once(client.ws, 'open')
      const pong = once(client.ws, 'pong')
      client.ws.send('hi')
      client.ws.send(Buffer.from('hi'))
      client.ws.ping('!')
      const [answer] = (await pong) as [Buffer]
      assert.equal(answer.toString(), '!')
      await noted(4)
      client.ws.close(4001, 'bye')
      await noted(5)
      // The pong to the server's first ping may overtake what the client sends once it is open.
      const pongAt = events.findIndex((event) => event.startsWith('pong'))
      const [own] = events.splice(pongAt, 1)
      events.splice(3, 0, own as string)
      return events
    },
  )

  for (const [how, leave, code] of [
    ['closes without a code', (ws: WebSocket) => ws.close(), 1005],
    ['closes with 1000', (ws: WebSocket) => ws.close(1000), 1000],
    ['vanishes', (ws: WebSocket) => ws.terminate(), 1006],
  ] as const) {
    sameOnBoth(
      `is told by 'close' that its client ${how}`,
      [`close ${code}`, `onclose ${code} ${code !== 1006}`],
      async ({ app, listen, note, noted, events }) => {
        app.get('/', { websocket: true }, (socket: WebSocket) => {
          socket.on('close', (code) => note(`close ${code}`))
          Object.assign(socket, {
            onclose: ({ code, wasClean }: CloseEvent) => note(`onclose ${code} ${wasClean}`),
          })
        })
        const client = await Client.open(await listen())
        leave(client.ws)
        await noted(2)
        return events
      },
    )
  }

  sameOnBoth(
    'that closes is seen by its client',
    { code: 4000, reason: 'enough' },
    async ({ app, listen }) => {
      app.get('/', { websocket: true }, (socket: WebSocket) => socket.close(4000, 'enough'))
      return (await Client.open(await listen())).closed
    },
  )

  sameOnBoth('may use a stream over the socket', 'HELLO', async ({ app, listen }) => {
    app.get('/', { websocket: true }, (socket: WebSocket) => {
      const stream: Duplex = createWebSocketStream(socket, { encoding: 'utf8' })
      stream.on('data', (data: string) => stream.write(data.toUpperCase()))
      stream.on('error', () => {})
    })
    const client = await Client.open(await listen())
    const answer = await ask(client, 'hello')
    client.ws.close()
    await client.closed
    return answer
  })

  sameOnBoth(
    'may use addEventListener and the on... attributes',
    ['listener hi', 'attribute hi'],
    async ({ app, listen, note, noted, events }) => {
      app.get('/', { websocket: true }, (socket: WebSocket) => {
        socket.addEventListener('message', ({ data }) => note(`listener ${data as string}`))
        Object.assign(socket, {
          onmessage: ({ data }: MessageEvent) => note(`attribute ${data as string}`),
        })
      })
      const client = await Client.open(await listen())
      client.ws.send('hi')
      await noted(2)
      return events
    },
  )

  sameOnBoth(
    'sends to all through websocketServer.clients, and hears of each connection',
    { news: ['news', 'news'], clients: 2, connections: ['/', '/'] },
    async ({ app, listen }) => {
      const connections: Array<string | undefined> = []
      app.websocketServer.on('connection', (_socket, request) => connections.push(request.url))
      app.get('/', { websocket: true }, (socket: WebSocket) => {
        socket.on('message', () => {
          for (const client of app.websocketServer.clients) client.send('news')
        })
      })
      const url = await listen()
      const clients = [await Client.open(url), await Client.open(url)]
      clients[0]?.ws.send('go')
      const news = await Promise.all(clients.map(async (client) => client.next()))
      return { news, clients: app.websocketServer.clients.size, connections }
    },
  )
})

const isLast = (event: string): number => Number(event === 'response closed')

const hideOf = ({ schema }: RouteOptions): unknown => (schema as { hide?: boolean }).hide

describe('hooks', () => {
  const order = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler']

  sameOnBoth(
    "run in their order before the handler; the reply's raw response closes with the connection",
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
      const client = await Client.open(await listen())
      await noted(5)
      await turns()
      const open = [...events]
      client.ws.close()
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
      await Client.open(await listen())
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
    test(`onRoute of plugins that came before ${name} find it hidden when they look at the end`, async (t) => {
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
      const clients = [await Client.open(`${url}/p`), await Client.open(`${url}/p/`)]
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
        '/no-slash': await (await Client.open(`${url}/no-slash`)).next(),
        '/no-slash/': (await refusal(`${url}/no-slash/`)).status,
        '/slash': (await refusal(`${url}/slash`)).status,
        '/slash/': await (await Client.open(`${url}/slash/`)).next(),
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
        await Client.open(`${url}/a/1`),
        await Client.open(`${url}/w/x/y`),
        await Client.open(`${url}/v`, { headers: { 'accept-version': '2.x' } }),
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
      const client = await Client.open(`${url}/?page=2`)
      return { status, code: JSON.parse(body).code, ...JSON.parse(await client.next()) }
    },
  )

  sameOnBoth(
    'answer plain requests with the status of before: 404 to GET and HEAD, the HTTP handler beside a wsHandler',
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
      return { twins, asked: await (await Client.open(`${await listen()}/asked`)).next() }
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

// The clock never moves: what ends does not wait for a close timeout.
async function serveInjected(t: TestContext): Promise<{
  app: FastifyInstance
  clock: FakeClock
  sockets: LifecycleSocket[]
  events: string[]
}> {
  const clock = new FakeClock()
  const app = Fastify()
  endWith(t, app, clock)
  await app.register(createPlugin(clock))
  const sockets: LifecycleSocket[] = []
  const events: string[] = []
  app.get(
    '/',
    {
      websocket: true,
      onClose: (_socket, request) => events.push(`onClose ${request.ip}`),
    },
    (socket, request) => {
      sockets.push(socket)
      socket.scope.defer(() => events.push('release'))
      events.push(`handler ${request.ip}`)
    },
  )
  await app.ready()
  return { app, clock, sockets, events }
}

describe('injectWS', () => {
  sameOnBoth(
    'opens a connection, with onInit before and onOpen',
    ['onInit 0', 'onOpen 1', 'welcome /inject?x=1 token', 'echo'],
    async ({ app, note, noted, events }) => {
      app.get('/inject', { websocket: true }, (socket: WebSocket, request: FastifyRequest) => {
        socket.send(`welcome ${request.url} ${String(request.headers['x-token'])}`)
        echo(socket)
      })
      await app.ready()
      const client = await app.injectWS(
        '/inject?x=1',
        { headers: { 'x-token': 'token' } },
        {
          onInit: (ws) => {
            note(`onInit ${ws.readyState}`)
            ws.on('message', (data: Buffer) => note(data.toString()))
          },
          onOpen: (ws) => note(`onOpen ${ws.readyState}`),
        },
      )
      client.send('echo')
      await noted(4)
      client.terminate()
      return events
    },
  )

  sameOnBoth(
    'rejects where the upgrade is refused',
    ['Unexpected server response: 401', 'Unexpected server response: 404'],
    async ({ app }) => {
      app.addHook('onRequest', async (request, reply) =>
        request.url === '/refused' ? reply.code(401).send() : undefined,
      )
      app.get('/refused', { websocket: true }, () => {})
      await app.ready()
      const refusals: string[] = []
      for (const path of ['/refused', '/nowhere']) {
        await app.injectWS(path).catch((error: unknown) => refusals.push((error as Error).message))
      }
      return refusals
    },
  )

  sameOnBoth(
    'has a request without an address, and that is no reason to fail',
    'undefined undefined',
    async ({ app }) => {
      app.get('/', { websocket: true }, (socket: WebSocket, request: FastifyRequest) =>
        setImmediate(() =>
          socket.send(`${request.raw.socket?.remoteAddress} ${request.ws ? undefined : 'http'}`),
        ),
      )
      await app.ready()
      const client = await app.injectWS('/')
      const [data] = (await once(client, 'message')) as [Buffer]
      client.terminate()
      return data.toString()
    },
  )

  const ends: Array<
    [string, (client: WebSocket, socket: LifecycleSocket) => void, Partial<CloseInfo>]
  > = [
    [
      'the client closes',
      (client) => client.close(1000, 'done'),
      { cause: 'client-close', code: 1000, reason: 'done', clean: true },
    ],
    [
      'the client terminates',
      (client) => client.terminate(),
      { cause: 'connection-lost', code: 1006, clean: false },
    ],
    [
      'the server closes',
      (_client, socket) => socket.close(4000, 'enough'),
      { cause: 'server-close', code: 4000, reason: 'enough', clean: true },
    ],
    [
      'the server terminates',
      (_client, socket) => socket.terminate(),
      { cause: 'server-terminate', code: 1006, clean: false },
    ],
    [
      'both close at once',
      (client, socket) => {
        socket.close(4000)
        client.close(4001)
      },
      { cause: 'server-close', clean: true },
    ],
  ]
  for (const [how, end, expected] of ends) {
    test(`ends on both sides without a timer when ${how}`, async (t) => {
      const { app, clock, sockets, events } = await serveInjected(t)
      const client = await app.injectWS('/')
      const [socket] = sockets as [LifecycleSocket]
      const gone = new Promise((resolve) => client.once('close', resolve))
      client.on('error', () => {})
      end(client, socket)
      const close = await within(socket.closed, "the server's end")
      await within(gone, "the client's close")
      const told = Object.fromEntries(
        Object.keys(expected).map((name) => [name, Reflect.get(close, name) as unknown]),
      )
      assert.deepEqual(told, expected)
      assert.deepEqual(events, ['handler undefined', 'onClose undefined', 'release'])
      assert.equal(clock.pending, 0)
      await within(app.close(), 'app.close()')
    })
  }

  // The client of injectWS answers no ping where nobody reads its stream; and there is no line.
  test('is never declared dead: there is no evidence that a verdict could rest on', async (t) => {
    const { app, clock, sockets } = await serveInjected(t)
    await app.injectWS('/')
    await clock.advance(600_000)
    const [socket] = sockets as [LifecycleSocket]
    assert.equal(socket.readyState, socket.OPEN)
  })

  test('leaves nothing that app.close() would wait for, though the client does not close', async (t) => {
    const { app, clock } = await serveInjected(t)
    const clients = [await app.injectWS('/'), await app.injectWS('/')]
    const codes = clients.map(
      async (client) => new Promise((resolve) => client.once('close', resolve)),
    )
    await within(app.close(), 'app.close()')
    assert.deepEqual(await within(Promise.all(codes), 'the close'), [1012, 1012])
    assert.equal(clock.pending, 0)
  })

  test('works without ready(), once the app is', async (t) => {
    const app = await serve(t, {
      routes: (app) => app.get('/', { websocket: true }, (socket) => socket.send('hi')),
    })
    const messages: string[] = []
    const client = await app.injectWS(
      '/',
      {},
      { onInit: (ws) => ws.on('message', (data: Buffer) => messages.push(data.toString())) },
    )
    while (messages.length === 0) await turns(1)
    assert.deepEqual(messages, ['hi'])
    client.terminate()
  })
})
