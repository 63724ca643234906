// @fastify/otel beside our own spans: one trace for each upgrade, and one span of the kind SERVER.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { FastifyOtelInstrumentation } from '@fastify/otel'
import { type Span, SpanKind, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type Span as SdkSpan,
} from '@opentelemetry/sdk-trace-node'
import Fastify from 'fastify'
import otel from '../../lib/otel/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { Client, refusal } from '../support/peers/client.js'
import { endWith, portOf } from '../support/servers/server.js'
import { within } from '../support/time/bound.js'

/** The spans that have begun: @fastify/otel never ends the one of an upgrade that opens. */
const begun: SdkSpan[] = []
const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({
  spanProcessors: [
    {
      onStart: (span) => void begun.push(span),
      onEnd: () => {},
      forceFlush: async () => {},
      shutdown: async () => {},
    },
    new SimpleSpanProcessor(exporter),
  ],
})
provider.register()
after(() => provider.shutdown())

const TRACE = 'a'.repeat(32)
const headers = { traceparent: `00-${TRACE}-${'1'.repeat(16)}-01` }

const named = (name: string): ReadableSpan | undefined =>
  exporter.getFinishedSpans().find((span) => span.name === name)

for (const order of ['before', 'after'] as const) {
  test(`@fastify/otel, registered ${order} ours, puts its spans under that of the upgrade`, async (t) => {
    begun.length = 0
    exporter.reset()
    const current = new Map<string, Span | undefined>()
    const see = async (place: string): Promise<void> => {
      await turn()
      current.set(place, trace.getActiveSpan())
    }
    const app = Fastify()
    endWith(t, app)
    const instrumentation = new FastifyOtelInstrumentation()
    instrumentation.setTracerProvider(provider)
    if (order === 'before') await app.register(instrumentation.plugin())
    await app.register(createPlugin())
    await app.register(otel)
    if (order === 'after') await app.register(instrumentation.plugin())
    app.get(
      '/',
      {
        websocket: true,
        preValidation: async function lookUp() {
          await see('preValidation')
        },
        onMessage: async (socket, _request, message) => {
          await see('onMessage')
          socket.send(message)
        },
        onClose: async () => see('onClose'),
      },
      async () => see('handler'),
    )
    app.get(
      '/no',
      { websocket: true, preValidation: async (_, reply) => reply.code(401).send() },
      () => {},
    )
    await app.listen({ host: '127.0.0.1', port: 0 })
    const url = `ws://127.0.0.1:${portOf(app)}`
    const client = await Client.open(url, { headers })
    client.ws.send('hi')
    assert.equal(await client.next(), 'hi')
    client.ws.close(1000)
    await client.closed
    assert.equal((await refusal(`${url}/no`, { headers })).status, 401)
    await within(app.close(), 'app.close()')

    const upgrade = named('GET /')
    const refused = named('GET /no')
    assert.ok(upgrade && refused)
    const ofClient = begun.filter((span) => span.spanContext().traceId === TRACE)
    // One for each upgrade, and it is ours.
    assert.deepEqual(
      ofClient.filter(({ kind }) => kind === SpanKind.SERVER).map(({ name }) => name),
      ['GET /', 'GET /no'],
    )
    const requests = ofClient.filter(({ name }) => name === 'request')
    assert.deepEqual(
      requests.map(({ kind, parentSpanContext }) => [kind, parentSpanContext?.spanId]),
      [upgrade, refused].map((span) => [SpanKind.INTERNAL, span.spanContext().spanId]),
    )
    // In hooks and in the handler a span of @fastify/otel is current, in the same trace.
    for (const place of ['preValidation', 'handler']) {
      assert.equal(current.get(place)?.spanContext().traceId, TRACE, place)
    }
    for (const [place, name] of [
      ['onMessage', 'WebSocket message /'],
      ['onClose', 'WebSocket onClose /'],
    ] as const) {
      const span = named(name)
      assert.equal(current.get(place)?.spanContext().spanId, span?.spanContext().spanId, place)
      assert.notEqual(span?.spanContext().traceId, TRACE)
    }
    assert.deepEqual(
      named('WebSocket message /')?.links.map(({ context }) => context.spanId),
      [upgrade.spanContext().spanId],
    )
  })
}
