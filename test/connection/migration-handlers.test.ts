// Handlers of @fastify/websocket run here as they did there.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createWebSocketStream, WebSocket, type CloseEvent, type MessageEvent } from 'ws'
import type { Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { sameOnBoth, ask, echo } from '../support/servers/both-worlds.js'

function sendOwner(this: FastifyInstance, socket: WebSocket): void {
  socket.send(`${this.prefix} ${String(Reflect.get(this, 'owner'))}`)
}

describe('a handler', () => {
  sameOnBoth('of a `websocket: true` route gets a socket and the request', 'hi', async (world) => {
    world.app.get('/', { websocket: true }, (socket: WebSocket, _request: FastifyRequest) =>
      echo(socket),
    )
    return ask(await connect(await world.listen()), 'hi')
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
      const clients = [await connect(`${url}/short`), await connect(`${url}/full`)]
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
      const client = await connect(`${await listen()}/both`)
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
      const clients = [await connect(`${url}/rooms/one`), await connect(`${url}/rooms/two`)]
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
      const headers = { 'x-token': 'secret' }
      return (await connect(url, undefined, { headers, parse: JSON.parse })).next()
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
      return (await connect(await listen(), '/', { parse: JSON.parse })).next()
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
      const client = new WebSocket(await listen())
      await once(client, 'open')
      const pong = once(client, 'pong')
      client.send('hi')
      client.send(Buffer.from('hi'))
      client.ping('!')
      const [answer] = (await pong) as [Buffer]
      assert.equal(answer.toString(), '!')
      await noted(4)
      client.close(4001, 'bye')
      await noted(5)
      // The pong to the server's first ping may overtake what the client sends once it is open.
      const pongAt = events.findIndex((event) => event.startsWith('pong'))
      const [own] = events.splice(pongAt, 1)
      events.splice(3, 0, own as string)
      return events
    },
  )

  for (const [how, leave, code] of [
    ['closes without a code', (peer: Peer) => void peer.close(), 1005],
    ['closes with 1000', (peer: Peer) => void peer.close(1000), 1000],
    ['vanishes', (peer: Peer) => peer.drop(), 1006],
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
        leave(await connect(await listen()))
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
      const { code, reason } = await (await connect(await listen())).closed
      return { code, reason }
    },
  )

  sameOnBoth('may use a stream over the socket', 'HELLO', async ({ app, listen }) => {
    app.get('/', { websocket: true }, (socket: WebSocket) => {
      const stream: Duplex = createWebSocketStream(socket, { encoding: 'utf8' })
      stream.on('data', (data: string) => stream.write(data.toUpperCase()))
      stream.on('error', () => {})
    })
    const client = await connect(await listen())
    const answer = await ask(client, 'hello')
    await client.close()
    return answer.toString()
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
      const client = await connect(await listen())
      client.send('hi')
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
      const clients = [await connect(url), await connect(url)]
      clients[0]?.send('go')
      const news = await Promise.all(clients.map(async (client) => client.next()))
      return { news, clients: app.websocketServer.clients.size, connections }
    },
  )
})
