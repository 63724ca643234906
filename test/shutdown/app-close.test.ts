// How app.close() drains, and in which order hooks of the app follow.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { type LifecycleSocket } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { allRead } from '../support/peers/exchange.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { start, openClient, openPeer } from '../support/servers/draining.js'
import { until } from '../support/time/timed.js'

describe('app.close()', () => {
  test('drains: 1012 for everybody, and no connection is left', async (t) => {
    const served = await start(t)
    const clients = [await openClient(served), await openClient(served)]
    await within(served.app.close(), 'app.close()')
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    assert.equal(served.app.websocketLifecycle.connections.size, 0)
    assert.equal(served.app.websocketLifecycle.draining, true)
    assert.equal(served.app.server.listenerCount('upgrade'), 0)
    assert.equal(served.clock.pending, 0)
  })

  test('can be called twice, and before anything has begun', async (t) => {
    const served = await start(t)
    const client = await openClient(served)
    await within(Promise.all([served.app.close(), served.app.close()]), 'app.close()')
    assert.equal((await client.closed).code, 1012)
    const unready = Fastify()
    void unready.register(websocketLifecycle)
    await within(unready.close(), 'app.close()')
    assert.equal(unready.server.listenerCount('upgrade'), 0)
  })

  test('does not need forceCloseConnections, and does not mind it', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500 },
      {},
      { fastify: { forceCloseConnections: true } },
    )
    const client = await openClient(served)
    const peer = await openPeer(served)
    peer.freeze()
    const closing = served.app.close()
    assert.equal((await client.closed).code, 1012)
    await served.clock.advance(600)
    await within(closing, 'app.close()')
  })

  test('refuses an upgrade also when all connections have ended, but sockets are left', async (t) => {
    const served = await start(t)
    const connected = once(served.app.server, 'connection')
    // Half a request: node 26 ends connections that have asked nothing yet.
    const handshake = RawPeer.handshake(served.port, '/ws')
    const peer = await RawPeer.dialWith(served.port, handshake.slice(0, 40))
    const [socket] = (await connected) as [Socket]
    await allRead(peer.socket, socket)
    const closing = served.app.close()
    await until(() => !served.app.server.listening)
    await served.app.websocketLifecycle.drain()
    peer.send(Buffer.from(handshake.slice(40)))
    const { status, headers } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    await within(peer.ended(), 'the end of the socket')
    await within(closing, 'app.close()')
    assert.equal(served.sockets.length, 0)
  })

  test('can be called by a listener of a connection', async (t) => {
    const closed = gate()
    const served = await start(
      t,
      {},
      {},
      {
        handler: (socket) =>
          socket.on('message', () => void served.app.close().then(() => closed.open())),
      },
    )
    const client = await openClient(served)
    client.send('shut down')
    assert.equal((await client.closed).code, 1012)
    await within(closed.opened, 'app.close()')
  })

  test('calls onClose hooks of the app when all cleanups are over, wherever they were added', async (t) => {
    const clock = new FakeClock()
    const app = Fastify()
    endWith(t, app, clock)
    const cleaning = gate()
    const cleaned = gate()
    const events: string[] = []
    const note = (name: string) => async (): Promise<void> => void events.push(name)
    app.addHook('onClose', note('onClose of the root, added before the plugin'))
    void app.register(async (early) => {
      early.addHook('onClose', note('onClose of a child before'))
    })
    void app.register(createPlugin(clock))
    void app.register(async (child) => {
      child.addHook('onClose', note('onClose of a child after'))
      child.get(
        '/ws',
        {
          websocket: true,
          async onClose() {
            cleaning.open()
            await cleaned.opened
            events.push('the end of the connection')
          },
        },
        (socket) => socket.scope.defer(async () => void events.push('its release')),
      )
    })
    app.addHook('onClose', note('onClose of the root, added after the plugin'))
    app.after(() => app.addHook('onClose', note('onClose of the root, added in after()')))
    await app.listen({ host: '127.0.0.1', port: 0 })
    await connect(app, '/ws')
    const closing = app.close()
    await cleaning.opened
    await delivered()
    assert.deepEqual(events, [])
    cleaned.open()
    await within(closing, 'app.close()')
    assert.deepEqual(events.slice(0, 2), ['the end of the connection', 'its release'])
    assert.equal(events.length, 7)
  })

  test("calls the root's onClose hooks after the cleanups where the plugin is in a child", async (t) => {
    const app = Fastify()
    endWith(t, app)
    const events: string[] = []
    app.addHook('onClose', async () => void events.push('onClose'))
    void app.register(async (child) => {
      await child.register(websocketLifecycle)
      child.get('/ws', { websocket: true }, (socket) =>
        socket.scope.defer(async () => {
          await turns(6)
          events.push('release')
        }),
      )
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    await connect(app, '/ws')
    await within(app.close(), 'app.close()')
    assert.deepEqual(events, ['release', 'onClose'])
  })

  test('waits for cleanups of connections that had ended before', async (t) => {
    const cleaned = gate()
    const events: string[] = []
    const served = await start(
      t,
      {},
      {
        onClose: async () => {
          await cleaned.opened
          events.push('cleanup')
        },
      },
      { before: (app) => app.addHook('onClose', async () => void events.push('onClose')) },
    )
    const client = await openClient(served)
    await client.close()
    const closing = served.app.close()
    await delivered()
    assert.deepEqual(events, [])
    cleaned.open()
    await within(closing, 'app.close()')
    assert.deepEqual(events, ['cleanup', 'onClose'])
  })

  test('is in time where a cleanup hangs, with the real clock', async (t) => {
    const app = await serve(t, {
      options: { cleanupTimeout: 60_000, drain: { timeout: 100 } },
      routes: (app) => app.get('/ws', { websocket: true, onClose: () => never }, () => {}),
    })
    await connect(app, '/ws')
    await within(app.close(), 'app.close()', 5_000)
    assert.equal(app.websocketLifecycle.stats().abandoned, 1)
  })

  for (const place of ['before', 'routes'] as const) {
    test(`ends our connections where a preClose hook of another plugin hangs (${place})`, async (t) => {
      const theirs = gate()
      const served = await start(
        t,
        { closeTimeout: 1_000 },
        {},
        {
          fastify: { pluginTimeout: 0 },
          [place]: (app: FastifyInstance) => app.addHook('preClose', async () => theirs.opened),
        },
      )
      const client = await openClient(served)
      const frozen = await openPeer(served)
      frozen.freeze()
      const closing = served.app.close()
      assert.equal((await client.closed).code, 1012)
      await served.clock.advance(1_100)
      await Promise.all(
        served.sockets.map(async (socket) => within(socket.closed, 'the end of a connection')),
      )
      assert.equal(served.app.websocketLifecycle.stats().open, 0)
      theirs.open()
      await within(closing, 'app.close()')
    })

    test(`ends our connections where a preClose hook of another plugin throws (${place})`, async (t) => {
      const clock = new FakeClock()
      const app = Fastify()
      const fail = (): void => {
        app.addHook('preClose', async () => {
          throw new Error('not today')
        })
      }
      if (place === 'before') fail()
      await app.register(createPlugin(clock), { closeTimeout: 1_000 })
      if (place === 'routes') fail()
      const sockets: LifecycleSocket[] = []
      app.get('/ws', { websocket: true }, (socket) => void sockets.push(socket))
      await app.listen({ host: '127.0.0.1', port: 0 })
      t.after(() => app.server.close())
      const client = await connect(app, '/ws')
      const frozen = await RawPeer.open(portOf(app), '/ws')
      frozen.freeze()
      const closing = app.close().then(
        () => undefined,
        (error: unknown) => (error as Error).message,
      )
      assert.equal((await client.closed).code, 1012)
      await clock.advance(1_100)
      for (const socket of sockets) await within(socket.closed, 'the end of a connection')
      assert.equal(app.websocketLifecycle.stats().open, 0)
      await within(closing, 'app.close()')
      assert.equal(clock.pending, 0)
    })
  }

  test('ends our connections where a preClose hook hangs in an app that never listened', async (t) => {
    const theirs = gate()
    const app = Fastify({ pluginTimeout: 0 })
    endWith(t, app)
    app.addHook('preClose', async () => theirs.opened)
    await app.register(websocketLifecycle)
    app.get('/ws', { websocket: true }, () => {})
    await app.ready()
    const client = await app.injectWS('/ws')
    const closed = once(client, 'close')
    const closing = app.close()
    const [code] = (await within(closed, 'the close')) as [number]
    assert.equal(code, 1012)
    theirs.open()
    await within(closing, 'app.close()')
  })

  test('ends our connections where an onClose hook that was added in onReady hangs', async (t) => {
    const theirs = gate()
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onReady', async () => {
            app.addHook('onClose', async () => theirs.opened)
          })
        },
      },
    )
    const client = await openClient(served)
    const closing = served.app.close()
    const first = await Promise.race([client.closed, delivered().then(() => undefined)])
    theirs.open()
    assert.equal(first?.code, 1012)
    await within(closing, 'app.close()')
  })
})
