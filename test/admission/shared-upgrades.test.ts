// Others who listen for upgrades on the same server: what is ours never reaches them, what is theirs we do not touch.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { connect } from '../support/peers/connect.js'
import { refusal } from '../support/peers/client.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve, type Setup } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { THEIRS, addNeighbour, addRoute, statusOf } from '../support/servers/neighbour.js'

const emitOfNode = Reflect.get(EventEmitter.prototype, 'emit')

describe('another listener', () => {
  for (const [when, setup, listen] of [
    ['before the plugin', { before: addNeighbour }],
    ['after the plugin', { routes: addNeighbour }],
    ['after the app listens', {}, addNeighbour],
  ] as const satisfies ReadonlyArray<readonly [string, Setup, typeof addNeighbour?]>) {
    test(`that was added ${when} hears nothing of ours, also while draining`, async (t) => {
      const { routes, ...others }: Setup = setup
      const app = await serve(t, {
        ...others,
        routes: (app) => {
          addRoute(app)
          routes?.(app)
        },
      })
      listen?.(app)
      const client = await connect(app, '/ws')
      client.send('hello')
      assert.equal(await client.next(), 'echo hello')
      assert.equal(await statusOf(app, '/other'), THEIRS)
      await app.websocketLifecycle.drain()
      assert.equal(await statusOf(app, '/other'), THEIRS)
      assert.equal(await statusOf(app, '/ws'), 503)
      assert.equal(app.websocketLifecycle.stats().refused.draining, 1)
    })
  }

  test('that was added after the app has begun to listen at both addresses of localhost', async (t) => {
    const app = await serveAt(t, 'localhost')
    addNeighbour(app)
    for (const { address } of app.addresses() as AddressInfo[]) {
      const host = address.includes(':') ? `[${address}]` : address
      const client = await connect(`ws://${host}:${portOf(app)}/ws`)
      client.send('hello')
      assert.equal(await client.next(), 'echo hello')
      assert.equal((await refusal(`ws://${host}:${portOf(app)}/other`)).status, THEIRS)
    }
  })

  test('may be a ws server with a path of its own, which answers 400 to others', async (t) => {
    const app = await serve(t, { routes: addRoute })
    const server = new WebSocketServer({ server: app.server, path: '/own' })
    t.after(() => server.close())
    server.on('connection', (socket) => socket.send('own'))
    const own = await connect(app, '/own')
    assert.equal(await own.next(), 'own')
    const ours = await connect(app, '/ws')
    ours.send('hello')
    assert.equal(await ours.next(), 'echo hello')
    assert.equal(await statusOf(app, '/other'), 400)
    own.drop()
  })

  test('that only looks on hears of ours too, and can do nothing to them', async (t) => {
    const heard: string[] = []
    const gone: string[] = []
    const app = await serve(t, {
      routes: (app) => {
        addRoute(app)
        const { server } = app
        server.on('upgrade', ({ url }: IncomingMessage) => heard.push(`one ${url}`))
        server.once('upgrade', () => heard.push('once'))
        server.on('upgrade', ({ url }: IncomingMessage, raw: Duplex) => {
          heard.push(`two ${url}`)
          raw.on('close', () => gone.push(String(url)))
          raw.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
        })
      },
    })
    const clients = [await connect(app, '/ws'), await connect(app, '/ws?again')]
    for (const client of clients) {
      client.send('hello')
      assert.equal(await client.next(), 'echo hello')
    }
    assert.deepEqual(heard, ['one /ws', 'once', 'two /ws', 'one /ws?again', 'two /ws?again'])
    assert.deepEqual(gone, ['/ws', '/ws?again'])
    assert.equal(await statusOf(app, '/other'), 404)
    assert.equal(heard.at(-1), 'two /other')
  })

  test('that listens once gets one; the next is answered by the app again', async (t) => {
    const app = await serve(t, { routes: addRoute })
    app.server.prependOnceListener('upgrade', (_request, raw: Duplex) => {
      raw.end(`HTTP/1.1 ${THEIRS} \r\ncontent-length: 0\r\n\r\n`)
    })
    assert.equal(await statusOf(app, '/other'), THEIRS)
    assert.equal(await statusOf(app, '/other'), 404)
  })

  test('is told of what is not ours even by who goes past the emit of the server', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        addRoute(app)
        const emit = (...event: [string, ...unknown[]]): boolean =>
          emitOfNode.call(app.server, ...event)
        const seen: Array<string | undefined> = []
        app.server.on('upgrade', (request: { url?: string }) => seen.push(request.url))
        app.decorate('past', { emit, seen })
      },
    })
    const { emit, seen } = Reflect.get(app, 'past') as {
      emit: (...event: [string, ...unknown[]]) => boolean
      seen: string[]
    }
    const emitOfServer = Reflect.get(app.server, 'emit') as typeof emit
    app.server.emit = emit as never
    t.after(() => {
      app.server.emit = emitOfServer as never
    })
    const stranger = await RawPeer.dial(portOf(app), '/other')
    await until(() => seen.length === 1)
    stranger.destroy()
    const client = await connect(app, '/ws')
    client.send('hello')
    assert.equal(await client.next(), 'echo hello')
    client.drop()
  })
})

async function serveAt(t: TestContext, host: string): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app)
  await app.register(createPlugin())
  addRoute(app)
  await app.listen({ host, port: 0 })
  return app
}

describe('the emit of the server', () => {
  test('is as before once the app has closed', async (t) => {
    const app = await serve(t, { routes: addRoute })
    assert.ok(Object.hasOwn(app.server, 'emit'))
    await app.close()
    assert.ok(!Object.hasOwn(app.server, 'emit'))
  })

  test('may have been one of its own before', async (t) => {
    const events: unknown[] = []
    const own = function (this: FastifyInstance['server'], ...event: unknown[]): boolean {
      events.push(event[0])
      return emitOfNode.call(this, String(event[0]), ...event.slice(1))
    }
    const app = await serve(t, {
      before: (app) => {
        app.server.emit = own as never
      },
      routes: addRoute,
    })
    assert.equal(await statusOf(app, '/ws'), 101)
    assert.ok(events.includes('connection'))
    await app.close()
    assert.equal(Reflect.get(app.server, 'emit'), own)
  })

  test('may have got another one around it, which stays, and then does nothing of ours', async (t) => {
    const app = await serve(t, { routes: addRoute })
    const ours = Reflect.get(app.server, 'emit') as (...event: unknown[]) => boolean
    const around = function (this: FastifyInstance['server'], ...event: unknown[]): boolean {
      return Reflect.apply(ours, this, event)
    }
    app.server.emit = around as never
    assert.equal(await statusOf(app, '/ws'), 101)
    await app.close()
    assert.equal(Reflect.get(app.server, 'emit'), around)
    const heard = once(app.server, 'upgrade')
    app.server.emit('upgrade', { url: '/later' } as never, undefined as never, Buffer.alloc(0))
    assert.deepEqual(((await heard) as unknown[])[0], { url: '/later' })
  })
})
