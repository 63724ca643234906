// Where and how the plugin may be registered, and what upgrades get that it does not take.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import websocketLifecycle, { type WebsocketLifecycleOptions } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { Client, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { tell } from '../support/servers/story.js'
import { cert, key } from '../support/servers/tls.js'

function makeApp(t: TestContext, options?: FastifyServerOptions): FastifyInstance {
  const app = Fastify({ ...options })
  endWith(t, app)
  return app
}

/** Starts an app whose registrations may not have been awaited. */
async function listen(app: FastifyInstance): Promise<{ port: number; url: string }> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: portOf(app), url: `ws://127.0.0.1:${portOf(app)}` }
}

function addEcho(app: FastifyInstance, path = '/ws'): void {
  app.get(path, { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
  })
}

async function assertEchoes(url: string): Promise<void> {
  const client = await Client.open(url)
  client.ws.send('hi')
  assert.equal(await client.next(), 'echo hi')
  client.ws.close()
  await client.closed
}

describe('a registration', () => {
  test('at the root serves the routes that are declared after it', async (t) => {
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    addEcho(app)
    await app.register(async (child) => addEcho(child, '/ws'), { prefix: '/child' })
    const { url } = await listen(app)
    await assertEchoes(`${url}/ws`)
    await assertEchoes(`${url}/child/ws`)
    assert.ok(app.hasPlugin('fastify-websocket-lifecycle'))
  })

  test('that is not awaited serves the routes of plugins that are registered after it', async (t) => {
    const app = makeApp(t)
    void app.register(websocketLifecycle)
    void app.register(async (child) => addEcho(child))
    const { url } = await listen(app)
    await assertEchoes(`${url}/ws`)
  })

  test('in one child, as under fastify-cli, serves that child and its children', async (t) => {
    const app = makeApp(t)
    void app.register(
      async (users) => {
        // As @fastify/autoload does: plugins first, unwrapped, then routes, each in its own child.
        void users.register(fp(async (plugins) => void plugins.register(websocketLifecycle)))
        void users.register(async (routes) => addEcho(routes), { prefix: '/rooms' })
        void users.register(async (routes) => {
          routes.get('/count', async () => routes.websocketLifecycle.stats().opened)
        })
      },
      { prefix: '/app' },
    )
    const { url } = await listen(app)
    await assertEchoes(`${url}/app/rooms/ws`)
    assert.equal((await app.inject('/app/count')).body, '1')
    assert.equal(app.hasDecorator('websocketLifecycle'), false)
  })

  test('takes what Fastify itself reads from the options of register', async (t) => {
    const app = makeApp(t)
    await app.register(websocketLifecycle, {
      prefix: '/p',
      logLevel: 'warn',
      logSerializers: { id: String },
      closeTimeout: 100,
    } as WebsocketLifecycleOptions)
    addEcho(app)
    const { url } = await listen(app)
    await assertEchoes(`${url}/ws`)
  })

  test('with an unknown option is refused, with the nearest known name', async (t) => {
    const app = makeApp(t)
    const options = { closeTimeOut: 100 } as WebsocketLifecycleOptions
    await assert.rejects(async () => app.register(websocketLifecycle, options), {
      code: 'FST_ERR_WSL_INVALID_OPTION',
      message: /`closeTimeOut` \(did you mean `closeTimeout`\?\), in the options of the plugin/,
    })
  })

  test('with a wrong option of a route is refused, and the message names the route', async (t) => {
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    const declare = (): unknown =>
      app.get('/rooms/:id', { websocket: true, closeTimeout: -1 }, () => {})
    assert.throws(declare, {
      code: 'FST_ERR_WSL_INVALID_OPTION',
      message: /`closeTimeout` .* `-1` .*GET \/rooms\/:id/,
    })
  })

  test('serves an app over TLS', async (t) => {
    const app = Fastify({ https: { key, cert } })
    endWith(t, app)
    await app.register(websocketLifecycle)
    app.get('/ws', { websocket: true }, (socket, request) => socket.send(request.protocol))
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const client = await Client.open(`wss://127.0.0.1:${port}/ws`, { ca: cert })
    assert.equal(await client.next(), 'https')
    const { status } = await refusal(`wss://127.0.0.1:${port}/nowhere`, { ca: cert })
    assert.equal(status, 404)
    await within(app.close(), 'app.close()')
    assert.equal((await client.closed).code, 1012)
  })

  test('serves an app on a Unix socket', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'fastify-websocket-lifecycle-'))
    t.after(() => rm(folder, { recursive: true }))
    const path = join(folder, 'socket')
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    addEcho(app)
    await app.listen({ path })
    const client = await Client.open(`ws+unix://${path}:/ws`)
    client.ws.send('hi')
    assert.equal(await client.next(), 'echo hi')
    await within(app.close(), 'app.close()')
    assert.equal((await client.closed).code, 1012)
  })

  test('can be repeated by any number of apps in one process, each with its own connections', async (t) => {
    const apps = [makeApp(t), makeApp(t)]
    const clients: Client[] = []
    for (const app of apps) {
      await app.register(websocketLifecycle)
      addEcho(app)
      const { url } = await listen(app)
      clients.push(await Client.open(`${url}/ws`), await Client.open(`${url}/ws`))
    }
    const [first, second] = apps as [FastifyInstance, FastifyInstance]
    await first.close()
    assert.equal(first.websocketLifecycle.stats().open, 0)
    assert.equal(second.websocketLifecycle.stats().open, 2)
    assert.equal(second.websocketLifecycle.draining, false)
    clients[2]?.ws.send('hi')
    assert.equal(await clients[2]?.next(), 'echo hi')
  })

  test('is over with its app: a new app takes the same port', async (t) => {
    const first = await serve(t, { routes: addEcho })
    const port = portOf(first)
    const client = await Client.open(`ws://127.0.0.1:${port}/ws`)
    await first.close()
    assert.equal((await client.closed).code, 1012)
    const second = makeApp(t)
    await second.register(websocketLifecycle)
    addEcho(second)
    await second.listen({ host: '127.0.0.1', port })
    await assertEchoes(`ws://127.0.0.1:${port}/ws`)
  })
})

describe('a second registration', () => {
  const second = { code: 'FST_ERR_WSL_ALREADY_REGISTERED', message: /was registered .*before/ }

  test('on the same instance is refused', async (t) => {
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    await assert.rejects(async () => app.register(websocketLifecycle), second)
  })

  test('in a child of the first is refused', async (t) => {
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    void app.register(async (child) => void child.register(websocketLifecycle))
    await assert.rejects(async () => app.ready(), second)
  })

  test('in a sibling child is refused', async (t) => {
    const app = makeApp(t)
    void app.register(async (child) => void child.register(websocketLifecycle))
    void app.register(async (child) => void child.register(websocketLifecycle))
    await assert.rejects(async () => app.ready(), second)
  })

  test('by another app on the same server is refused', async (t) => {
    const server = createServer()
    const shared: FastifyServerOptions = {
      serverFactory: (handler) => server.on('request', handler),
    }
    const [first, other] = [makeApp(t, shared), makeApp(t, shared)]
    await first.register(websocketLifecycle)
    await first.ready()
    await assert.rejects(async () => other.register(websocketLifecycle), second)
  })
})

describe('@fastify/websocket beside us', () => {
  test('registered before is refused, and the message says where its options go', async (t) => {
    const app = makeApp(t)
    await app.register(fastifyWebsocket)
    await assert.rejects(async () => app.register(websocketLifecycle), {
      code: 'FST_ERR_WSL_ALREADY_REGISTERED',
      message: /^@fastify\/websocket was registered before .*pass its ws options as `websocket`$/,
    })
  })

  test('registered before, in a parent, is refused', async (t) => {
    const app = makeApp(t)
    await app.register(fastifyWebsocket)
    void app.register(async (child) => void child.register(websocketLifecycle))
    await assert.rejects(async () => app.ready(), {
      code: 'FST_ERR_WSL_ALREADY_REGISTERED',
      message: /`websocket`/,
    })
  })

  for (const place of ['the same scope', 'a child']) {
    // @fastify/websocket throws in a plugin with a callback, which Fastify lets reach the process.
    test(`registered after, in ${place}, ends the start with Fastify's own error`, async (t) => {
      const story = tell(t, 'registered-after', place)
      const { code, stderr } = await story.exited
      assert.equal(code, 1)
      assert.match(stderr, /FST_ERR_DEC_ALREADY_PRESENT/)
    })
  }

  const sibling = {
    code: 'FST_ERR_WSL_ALREADY_REGISTERED',
    message:
      /@fastify\/websocket was registered in another plugin.* where a plugin has made it because it was missing \(mercurius does\), register .* before that plugin/,
  }

  test('registered by a plugin that needs it is refused, and the message says who comes first', async (t) => {
    // As mercurius does with `subscription`.
    const needsIt = fp(async (app: FastifyInstance) => {
      if (!app.hasDecorator('websocketServer')) await app.register(fastifyWebsocket)
    })
    const app = makeApp(t)
    await app.register(needsIt)
    await assert.rejects(async () => app.register(websocketLifecycle), {
      code: 'FST_ERR_WSL_ALREADY_REGISTERED',
      message:
        /where a plugin has made it because it was missing \(mercurius does\), register fastify-websocket-lifecycle before that plugin/,
    })
    const other = makeApp(t)
    await other.register(websocketLifecycle)
    await other.register(needsIt)
    addEcho(other)
    const { url } = await listen(other)
    await assertEchoes(`${url}/ws`)
  })

  test('registered before, in a sibling, is refused when the app is ready', async (t) => {
    const app = makeApp(t)
    void app.register(async (child) => void child.register(fastifyWebsocket))
    void app.register(async (child) => void child.register(websocketLifecycle))
    await assert.rejects(async () => app.ready(), sibling)
  })

  test('registered after, in a sibling, is refused when the app is ready', async (t) => {
    const app = makeApp(t)
    void app.register(async (child) => void child.register(websocketLifecycle))
    void app.register(async (child) => void child.register(fastifyWebsocket))
    await assert.rejects(async () => app.ready(), sibling)
  })

  test('does not matter where it is registered on another server', async (t) => {
    const bare = makeApp(t)
    await bare.register(fastifyWebsocket)
    await bare.ready()
    const app = makeApp(t)
    await app.register(websocketLifecycle)
    await app.ready()
  })
})

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
    const client = await Client.open(url)
    client.ws.send('x'.repeat(1024 * 1024))
    assert.equal((await client.next()).length, 'echo '.length + 1024 * 1024)
    client.ws.send('x'.repeat(1024 * 1024 + 1))
    assert.equal(await client.next(), 'close 1009 message-too-big')
  })

  test('maxPayload can be smaller', async (t) => {
    const { url } = await serveWith(t, { maxPayload: 10 })
    const client = await Client.open(url)
    client.ws.send('x'.repeat(11))
    assert.equal((await client.closed).code, 1009)
  })

  test('maxPayload can be larger', async (t) => {
    const { url } = await serveWith(t, { maxPayload: 2 * 1024 * 1024 })
    const client = await Client.open(url)
    client.ws.send('x'.repeat(2 * 1024 * 1024))
    assert.equal((await client.next()).length, 'echo '.length + 2 * 1024 * 1024)
  })

  test('another option leaves the default of maxPayload as it is', async (t) => {
    const { url } = await serveWith(t, { perMessageDeflate: false })
    const client = await Client.open(url)
    client.ws.send('x'.repeat(1024 * 1024 + 1))
    assert.equal((await client.closed).code, 1009)
  })

  test('perMessageDeflate is off', async (t) => {
    const { url } = await serveWith(t, undefined)
    const client = await Client.open(url)
    assert.equal(client.ws.extensions, '')
  })

  test('perMessageDeflate can be on', async (t) => {
    const { url } = await serveWith(t, { perMessageDeflate: { threshold: 0 } })
    const client = await Client.open(url)
    assert.equal(client.ws.extensions, 'permessage-deflate')
    client.ws.send('x'.repeat(10_000))
    assert.equal((await client.next()).length, 'echo '.length + 10_000)
  })

  test('handleProtocols chooses', async (t) => {
    const { app, url } = await serveWith(t, {
      handleProtocols: (protocols, request) => {
        assert.equal(request.url, '/ws')
        return protocols.has('v2') ? 'v2' : false
      },
    })
    const client = await Client.open(url, {}, ['v1', 'v2'])
    assert.equal(client.ws.protocol, 'v2')
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
    await turns()
    assert.deepEqual(released, ['/ws'])
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    assert.equal(clock.pending, 0)
    const client = await Client.open(`ws://127.0.0.1:${portOf(app)}/ws`, {
      headers: { 'x-token': 'good' },
    })
    client.ws.send('hi')
    assert.equal(await client.next(), 'echo hi')
  })

  test('clientTracking can be off: the app closes its connections all the same', async (t) => {
    const { app, url } = await serveWith(t, { clientTracking: false })
    const client = await Client.open(url)
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
    const client = new Client(url)
    const [response] = (await once(client.ws, 'upgrade')) as [IncomingMessage]
    assert.equal(response.headers['x-extra'], 'yes')
  })
})
