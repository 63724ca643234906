// Where the plugin for spans may be registered, what it takes, and that it leaves nothing behind.
import assert from 'node:assert/strict'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { test, type TestContext } from 'node:test'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import Fastify, { type FastifyInstance } from 'fastify'
import { CHANNELS } from '../../lib/facts/events.js'
import otel, { websocketOtel, type WebsocketOtelOptions } from '../../lib/otel/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve, serveOne } from '../support/servers/server.js'
import { connectTraced, currentId, serveTraced, spans } from '../support/servers/spans.js'

const PREFIX = 'fastify-websocket-lifecycle:'

/** The channels of ours to which somebody listens. */
function heardChannels(): string[] {
  const traces = ['handshake', 'message', 'step'].filter((name) => {
    const { start, end, asyncStart, asyncEnd, error } = tracingChannel(PREFIX + name)
    return [start, end, asyncStart, asyncEnd, error].some(({ hasSubscribers }) => hasSubscribers)
  })
  const events = Object.keys(CHANNELS).filter((name) => channel(PREFIX + name).hasSubscribers)
  return [...traces, ...events]
}

test('the plugin is the default export, and has a name', () => {
  assert.equal(otel, websocketOtel)
})

test('only the server with the plugin has spans, also where it is registered in a child', async (t) => {
  const without: Array<string | undefined> = []
  const other = await serveOne(t, { handler: () => void without.push(currentId()) })
  spans.forget()
  const app = await serve(t, {
    routes: (instance) => {
      instance.register(async (child) => void child.register(otel))
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const alone = await RawPeer.open(other.port, '/')
  const peer = await RawPeer.open(portOf(app), '/')
  for (const each of [alone, peer]) each.send(RawPeer.closeFrame(1000))
  await spans.one('WebSocket end /')
  await other.nextSocket().then(async ({ closed }) => closed)
  assert.deepEqual(without, [undefined])
  assert.equal(spans.names.filter((name) => name === 'GET /').length, 1)
  for (const each of [alone, peer]) each.destroy()
})

test('spans are made until the last connection has ended; then it listens no more', async (t) => {
  assert.deepEqual(heardChannels(), [])
  const { app, peer } = await connectTraced(t, { route: { onClose: async () => {} } })
  assert.notDeepEqual(heardChannels(), [])
  const closing = app.close()
  await peer.nextOf(OPCODE.close)
  const refused = await RawPeer.dial(portOf(app), '/').catch(() => undefined)
  peer.send(RawPeer.closeFrame(1012))
  await closing
  assert.deepEqual(heardChannels(), [])
  assert.ok(spans.names.includes('WebSocket onClose /'))
  assert.ok(spans.names.includes('WebSocket end /'))
  peer.destroy()
  refused?.destroy()
})

test('after drain() the refusals have spans, until the app closes', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => void instance.get('/', { websocket: true }, () => {}),
  })
  await app.websocketLifecycle.drain()
  const peer = await RawPeer.dial(portOf(app), '/')
  await peer.answer()
  const { attributes } = await spans.one('GET')
  assert.equal(attributes['websocket.upgrade.refusal'], 'draining')
  assert.equal(attributes['http.response.status_code'], 503)
  await app.close()
  assert.deepEqual(heardChannels(), [])
  peer.destroy()
})

async function refusalOf(
  t: TestContext,
  ...registrations: WebsocketOtelOptions[]
): Promise<{ readonly code?: string; readonly message: string }> {
  const app: FastifyInstance = Fastify()
  endWith(t, app)
  app.register(createPlugin())
  for (const options of registrations) app.register(otel, options)
  const refused = await app.ready().then(
    () => ({ message: 'not refused' }),
    (error: unknown) => error as Error & { code: string },
  )
  await app.close()
  return refused
}

test('a second registration on the same server is refused', async (t) => {
  const { code } = await refusalOf(t, {}, {})
  assert.equal(code, 'FST_ERR_WSL_ALREADY_REGISTERED')
  assert.deepEqual(heardChannels(), [])
})

test('wrong options are refused, with what is right', async (t) => {
  const wrong: Array<[options: object, message: RegExp]> = [
    [{ extract: 'traceparent' }, /`extract` to be a function, got `'traceparent'`/],
    [{ messages: 'no' }, /`messages` to be a boolean, got `'no'`/],
    [{ tracerProvider: 5 }, /`tracerProvider` to be a tracer provider, got `5`/],
    [{ meterProvider: {} }, /`meterProvider` to be a meter provider, got `\{\}`/],
    [{ message: false }, /got `message` \(did you mean `messages`\?\)/],
  ]
  for (const [options, message] of wrong) {
    const refused = await refusalOf(t, options)
    assert.equal(refused.code, 'FST_ERR_WSL_INVALID_OPTION')
    assert.match(refused.message, message)
  }
})

test('it needs fastify-websocket-lifecycle', async (t) => {
  const app = Fastify()
  endWith(t, app)
  app.register(otel)
  await assert.rejects(async () => app.ready(), /fastify-websocket-lifecycle/)
})

test('another provider makes the spans if it is given', async (t) => {
  const started: string[] = []
  const tracerProvider = new NodeTracerProvider({
    spanProcessors: [
      {
        onStart: ({ name }) => void started.push(name),
        onEnd: () => {},
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  })
  const { peer } = await connectTraced(t, {}, { tracerProvider })
  assert.deepEqual(started, ['GET'])
  assert.deepEqual(spans.all, [])
  peer.destroy()
})

test('spans that nobody records change nothing', async (t) => {
  const seen: string[] = []
  const tracerProvider = new NodeTracerProvider({
    sampler: { shouldSample: () => ({ decision: 0 }), toString: () => 'never' },
  })
  const { peer, socket } = await connectTraced(
    t,
    { route: { onMessage: (_socket, _request, message) => void seen.push(String(message)) } },
    { tracerProvider },
  )
  peer.send(RawPeer.frame(OPCODE.text, 'x'), RawPeer.closeFrame(1000))
  assert.equal((await socket.closed).cause, 'client-close')
  assert.deepEqual(seen, ['x'])
  peer.destroy()
})
