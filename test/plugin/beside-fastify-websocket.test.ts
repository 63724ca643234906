// What is told to who registers @fastify/websocket too.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import websocketLifecycle from '../../lib/index.js'
import { tell } from '../support/servers/story.js'
import { makeApp, listen, addEcho, assertEchoes } from '../support/servers/echoing.js'

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
