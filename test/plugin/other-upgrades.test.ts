// What upgrades get that the plugin does not take.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { makeApp, listen, addEcho, assertEchoes } from '../support/servers/echoing.js'

describe("another library's upgrade listener", () => {
  test('is no reason to refuse, is called, and is there after the app has closed', async (t) => {
    const app = makeApp(t)
    const seen: Array<string | undefined> = []
    const theirs = (request: IncomingMessage, raw: Duplex): void => {
      seen.push(request.url)
      raw.destroy()
    }
    app.server.on('upgrade', theirs)
    await app.register(websocketLifecycle)
    addEcho(app)
    const { url } = await listen(app)
    await assertEchoes(`${url}/ws`)
    const stranger = await RawPeer.dial(portOf(app), '/theirs')
    await within(stranger.ended(), 'the end that they gave it')
    assert.deepEqual(seen, ['/ws', '/theirs'])
    await app.close()
    assert.deepEqual(app.server.listeners('upgrade'), [theirs])
  })

  test('is not there, and neither is ours, once an app has closed', async (t) => {
    const app = await serve(t, { routes: addEcho })
    assert.equal(app.server.listenerCount('upgrade'), 1)
    await app.close()
    assert.equal(app.server.listenerCount('upgrade'), 0)
  })
})

describe('an upgrade', () => {
  test('to a route from before the plugin had loaded gets a 500, and a line in the log', async (t) => {
    const { lines, fastify } = logLines()
    const app = makeApp(t, fastify)
    let handled = 0
    void app.register(websocketLifecycle)
    app.get('/early', { websocket: true }, () => handled++)
    const { port } = await listen(app)
    const peer = await RawPeer.dial(port, '/early')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 500)
    const { code, message } = JSON.parse(body)
    assert.equal(code, 'FST_ERR_WSL_ROUTE_BEFORE_PLUGIN')
    assert.match(message, /GET \/early .*await the registration/)
    await within(peer.ended(), 'the end of the socket')
    const logged = lines.filter(({ msg }) => /await the registration/.test(String(msg)))
    assert.deepEqual(
      logged.map(({ level, err }) => [level, (err as { code: string }).code]),
      [[50, 'FST_ERR_WSL_ROUTE_BEFORE_PLUGIN']],
    )
    assert.equal(handled, 0)
    assert.equal(app.websocketLifecycle.stats().refused.route, 1)
  })

  test('to a route that is no WebSocket route gets a coded 404, and its handler does not run', async (t) => {
    let handled = 0
    const app = await serve(t, { routes: (app) => app.get('/http', async () => handled++) })
    const peer = await RawPeer.dial(portOf(app), '/http?token=secret')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 404)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 404,
      code: 'FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE',
      error: 'Not Found',
      message: 'Route GET /http takes no WebSocket connections',
    })
    await within(peer.ended(), 'the end of the socket')
    assert.equal(handled, 0)
    assert.equal((await app.inject('/http')).body, '0')
    assert.equal(app.websocketLifecycle.stats().refused.route, 1)
  })

  test('with another method than GET gets a 404, though a WebSocket route has that path', async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        addEcho(app, '/both')
        app.post('/both', async () => 'posted')
      },
    })
    for (const method of ['POST', 'HEAD']) {
      const peer = await RawPeer.dial(portOf(app), '/both')
      peer.destroy()
      const other = await RawPeer.dialWith(
        portOf(app),
        RawPeer.handshake(portOf(app), '/both').replace('GET', method),
      )
      const answer = parseAnswer(await other.answer())
      assert.equal(answer.status, 404, method)
      await within(other.ended(), 'the end of the socket')
    }
  })

  test("to an unknown path gets Fastify's own 404", async (t) => {
    const app = await serve(t, { routes: addEcho })
    const peer = await RawPeer.dial(portOf(app), '/nowhere')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 404)
    assert.deepEqual(JSON.parse(body), (await app.inject('/nowhere')).json())
    await within(peer.ended(), 'the end of the socket')
    assert.equal(app.websocketLifecycle.stats().refused.route, 1)
  })

  for (const place of ['before', 'routes'] as const) {
    test(`to an unknown path gets the app's 404 (${place})`, async (t) => {
      const app = await serve(t, {
        [place]: (app: FastifyInstance) => {
          app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing here'))
        },
      })
      const peer = await RawPeer.dial(portOf(app), '/nowhere')
      const { status, body } = parseAnswer(await peer.answer())
      assert.deepEqual({ status, body }, { status: 404, body: 'nothing here' })
      await within(peer.ended(), 'the end of the socket')
      assert.equal(app.websocketLifecycle.stats().refused.route, 1)
    })
  }

  test("is refused in the form that the app's error handler gives", async (t) => {
    const app = await serve(t, {
      routes: (app) => {
        app.setErrorHandler<Error & { code: string }>((error, _request, reply) =>
          reply.code(418).send(`mine: ${error.code}`),
        )
        app.get('/http', async () => 'http')
      },
    })
    const { status, body } = await refusal(`ws://127.0.0.1:${portOf(app)}/http`)
    assert.equal(status, 418)
    assert.equal(body, 'mine: FST_ERR_WSL_NOT_A_WEBSOCKET_ROUTE')
  })
})

async function serveChild(t: TestContext, clock: FakeClock): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app, clock)
  app.get('/outside', async () => 'http')
  void app.register(async (child) => {
    await child.register(createPlugin(clock), { handshakeTimeout: 2_000 })
    addEcho(child)
    child.get('/stats', async () => child.websocketLifecycle.stats())
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

describe("outside of the child's encapsulation", () => {
  for (const [path, status] of [
    ['/outside', 200],
    ['/nowhere', 404],
  ] as const) {
    test(`an upgrade to ${path} is answered by Fastify; its socket is ended then`, async (t) => {
      const clock = new FakeClock()
      const app = await serveChild(t, clock)
      const peer = await RawPeer.dial(portOf(app), path)
      assert.equal(parseAnswer(await peer.answer()).status, status)
      await within(peer.ended(), 'the end of the socket')
      await until(() => clock.pending === 0)
      const stats = await app.inject('/stats')
      assert.equal(stats.json<{ refused: { route: number } }>().refused.route, 1)
    })
  }

  test('an upgrade during the drain gets a 503', async (t) => {
    const app = Fastify()
    endWith(t, app)
    let drain: (() => Promise<unknown>) | undefined
    app.get('/outside', async () => 'http')
    void app.register(async (child) => {
      await child.register(websocketLifecycle)
      drain = async () => child.websocketLifecycle.drain()
    })
    const { port } = await listen(app)
    await drain?.()
    const peer = await RawPeer.dial(port, '/outside')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_DRAINING')
    await within(peer.ended(), 'the end of the socket')
  })
})
