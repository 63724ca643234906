// Which options of ws pass through the plugin.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import websocketLifecycle, { type WebsocketLifecycleOptions } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { makeApp, addEcho } from '../support/servers/echoing.js'

async function serveWith(
  t: TestContext,
  websocket: WebsocketLifecycleOptions['websocket'],
): Promise<{ app: FastifyInstance; url: string }> {
  const app = await serve(t, { options: websocket ? { websocket } : {}, routes: addEcho })
  return { app, url: `ws://127.0.0.1:${portOf(app)}/ws` }
}

describe('options of ws', () => {
  test('maxPayload is 1 MiB: not a byte more gets in', async (t) => {
    const { url } = await serveWith(t, undefined)
    const client = await connect(url)
    client.send('x'.repeat(1024 * 1024))
    assert.equal((await client.next()).length, 'echo '.length + 1024 * 1024)
    client.send('x'.repeat(1024 * 1024 + 1))
    assert.deepEqual(await untilEnd(client), ['close 1009 message-too-big'])
  })

  test('maxPayload can be smaller', async (t) => {
    const { url } = await serveWith(t, { maxPayload: 10 })
    const client = await connect(url)
    client.send('x'.repeat(11))
    assert.equal((await client.closed).code, 1009)
  })

  test('maxPayload can be larger', async (t) => {
    const { url } = await serveWith(t, { maxPayload: 2 * 1024 * 1024 })
    const client = await connect(url)
    client.send('x'.repeat(2 * 1024 * 1024))
    assert.equal((await client.next()).length, 'echo '.length + 2 * 1024 * 1024)
  })

  test('another option leaves the default of maxPayload as it is', async (t) => {
    const { url } = await serveWith(t, { perMessageDeflate: false })
    const client = await connect(url)
    client.send('x'.repeat(1024 * 1024 + 1))
    assert.equal((await client.closed).code, 1009)
  })

  test('perMessageDeflate is off', async (t) => {
    const { url } = await serveWith(t, undefined)
    const { headers } = await connect(url, undefined, { headers: DEFLATE })
    assert.equal(headers['sec-websocket-extensions'], undefined)
  })

  test('perMessageDeflate can be on', async (t) => {
    const { url } = await serveWith(t, { perMessageDeflate: { threshold: 0 } })
    const client = new WebSocket(url)
    await once(client, 'open')
    assert.equal(client.extensions, 'permessage-deflate')
    client.send('x'.repeat(10_000))
    const [echo] = (await once(client, 'message')) as [Buffer]
    assert.equal(echo.length, 'echo '.length + 10_000)
  })

  test('handleProtocols chooses', async (t) => {
    const { app, url } = await serveWith(t, {
      handleProtocols: (protocols, request) => {
        assert.equal(request.url, '/ws')
        return protocols.has('v2') ? 'v2' : false
      },
    })
    const client = await connect(url, undefined, { protocols: ['v1', 'v2'] })
    assert.equal(client.protocol, 'v2')
    const [socket] = app.websocketLifecycle.connections
    assert.equal(socket?.protocol, 'v2')
  })

  test('verifyClient refuses: its status, no connection, the socket ended, the releases run', async (t) => {
    const released: string[] = []
    const clock = new FakeClock()
    const app = await serve(t, {
      clock,
      options: {
        websocket: {
          verifyClient: ({ req }, done) =>
            setImmediate(() => done(req.headers['x-token'] === 'good', 402, 'pay first')),
        },
      },
      routes: (app) => {
        app.addHook('onRequest', async (request) =>
          request.wsScope?.defer(() => released.push(request.url)),
        )
        addEcho(app)
      },
    })
    const peer = await RawPeer.dial(portOf(app), '/ws')
    const { status, body } = parseAnswer(await peer.answer())
    assert.deepEqual({ status, body }, { status: 402, body: 'pay first' })
    await within(peer.ended(), 'the end of the socket')
    await delivered()
    assert.deepEqual(released, ['/ws'])
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    assert.equal(clock.pending, 0)
    const client = await connect(app, '/ws', {
      headers: { 'x-token': 'good' },
    })
    client.send('hi')
    assert.equal(await client.next(), 'echo hi')
  })

  test('clientTracking can be off: the app closes its connections all the same', async (t) => {
    const { app, url } = await serveWith(t, { clientTracking: false })
    const client = await connect(url)
    assert.equal(app.websocketServer.clients, undefined)
    await app.close()
    assert.equal((await client.closed).code, 1012)
  })

  for (const name of ['noServer', 'path', 'WebSocket', 'closeTimeout', 'server', 'port']) {
    test(`${name} is ours to set`, async (t) => {
      const app = makeApp(t)
      const websocket = { [name]: undefined } as WebsocketLifecycleOptions['websocket'] & object
      await assert.rejects(async () => app.register(websocketLifecycle, { websocket }), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: new RegExp(`\`websocket\` to leave \`${name}\` to the plugin`),
      })
    })
  }

  test("the server's own 'headers' event can add to the 101", async (t) => {
    const { app, url } = await serveWith(t, undefined)
    app.websocketServer.on('headers', (headers) => headers.push('x-extra: yes'))
    const { headers } = await connect(url)
    assert.equal(headers['x-extra'], 'yes')
  })
})
