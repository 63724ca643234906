// Where and how the plugin may be registered.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import { freePort } from '../../examples/cluster/free-port.js'
import websocketLifecycle, { type WebsocketLifecycleOptions } from '../../lib/index.js'
import type { Peer } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { endWith } from '../support/servers/server.js'
import { cert, key } from '../support/servers/tls.js'
import { makeApp, listen, addEcho, assertEchoes } from '../support/servers/echoing.js'

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
    const client = await connect(`wss://127.0.0.1:${port}/ws`, undefined, { tls: { ca: cert } })
    assert.equal(await client.next(), 'https')
    const { status } = await refusal(`wss://127.0.0.1:${port}/nowhere`, { tls: { ca: cert } })
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
    const client = await connect(app, '/ws')
    client.send('hi')
    assert.equal(await client.next(), 'echo hi')
    await within(app.close(), 'app.close()')
    assert.equal((await client.closed).code, 1012)
  })

  test('can be repeated by any number of apps in one process, each with its own connections', async (t) => {
    const apps = [makeApp(t), makeApp(t)]
    const clients: Peer[] = []
    for (const app of apps) {
      await app.register(websocketLifecycle)
      addEcho(app)
      const { url } = await listen(app)
      clients.push(await connect(`${url}/ws`), await connect(`${url}/ws`))
    }
    const [first, second] = apps as [FastifyInstance, FastifyInstance]
    await first.close()
    assert.equal(first.websocketLifecycle.stats().open, 0)
    assert.equal(second.websocketLifecycle.stats().open, 2)
    assert.equal(second.websocketLifecycle.draining, false)
    clients[2]?.send('hi')
    assert.equal(await clients[2]?.next(), 'echo hi')
  })

  test('is over with its app: a new app takes the same port', async (t) => {
    const port = await freePort()
    const start = async (): Promise<FastifyInstance> => {
      const app = makeApp(t)
      await app.register(websocketLifecycle)
      addEcho(app)
      await app.listen({ host: '127.0.0.1', port })
      return app
    }
    const first = await start()
    const client = await connect(`ws://127.0.0.1:${port}/ws`)
    await first.close()
    assert.equal((await client.closed).code, 1012)
    await start()
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
