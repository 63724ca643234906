// injectWS of @fastify/websocket works here as it did there.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { CloseInfo, LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { endWith, serve } from '../support/servers/server.js'
import { sameOnBoth, echo } from '../support/servers/both-worlds.js'
import { until } from '../support/time/timed.js'

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
    await until(() => messages.length > 0)
    assert.deepEqual(messages, ['hi'])
    client.terminate()
  })
})
