// The span of an upgrade: whose child it is, and what it says of each outcome.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from 'node:tls'
import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { FastifyReply, FastifyServerOptions } from 'fastify'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/server.js'
import {
  connectTraced,
  eventsOf,
  idOf,
  serveTraced,
  spans,
  traceOf,
  tracer,
} from '../support/servers/spans.js'
import { cert, key } from '../support/servers/tls.js'
import { type Gate, gate, never } from '../support/time/gate.js'

const TRACE = 'a'.repeat(32)

test('an upgrade that opens has a span of the kind SERVER, in the trace of its client', async (t) => {
  const { peer, socket } = await connectTraced(
    t,
    {},
    {},
    { traceparent: `00-${TRACE}-${'b'.repeat(16)}-01`, 'user-agent': 'tests' },
  )
  const span = await spans.one('GET /')
  assert.equal(span.kind, SpanKind.SERVER)
  assert.equal(traceOf(span), TRACE)
  assert.equal(span.parentSpanContext?.spanId, 'b'.repeat(16))
  assert.equal(span.instrumentationScope.name, 'fastify-websocket-lifecycle')
  assert.deepEqual(span.attributes, {
    'http.request.method': 'GET',
    'url.path': '/',
    'url.scheme': 'http',
    'network.protocol.version': '1.1',
    'network.peer.address': '127.0.0.1',
    'network.peer.port': peer.socket.localPort,
    'user_agent.original': 'tests',
    'http.route': '/',
    'http.response.status_code': 101,
    'websocket.upgrade.outcome': 'opened',
    'websocket.connection.id': socket.id,
  })
  assert.equal(span.status.code, SpanStatusCode.UNSET)
  peer.destroy()
})

test('no query gets into a span', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => void instance.get('/:id', { websocket: true }, () => {}),
  })
  const peer = await RawPeer.open(portOf(app), '/1?token=secret')
  peer.send(RawPeer.closeFrame(1000, 'secret'))
  await spans.one('WebSocket end /:id')
  const told = spans.all.map(({ name, attributes, events }) => ({ name, attributes, events }))
  assert.equal(told[0]?.attributes['url.path'], '/1')
  assert.doesNotMatch(JSON.stringify(told), /secret/)
  peer.destroy()
})

const no = async (_request: unknown, reply: FastifyReply): Promise<unknown> =>
  reply.code(401).send()

const fails = async (): Promise<void> => {
  throw new Error('no database')
}
const refuses = async (_request: unknown, reply: FastifyReply): Promise<void> => {
  reply.refuseWebsocket(4401, 'who')
}
const takes = async (_request: unknown, reply: FastifyReply): Promise<void> => {
  reply.hijack()
  reply.raw.writeHead(204).end()
}
/** Tells that it has been called, and never settles. */
const late = (called: Gate) => async (): Promise<void> => {
  called.open()
  await never
}

test('each refusal, answer and loss has its outcome, its status and its reason', async (t) => {
  const asking = gate()
  const app = await serveTraced(t, {
    routes: (instance) => {
      instance.get('/full', { websocket: true, maxConnections: 0 }, () => {})
      instance.get(
        '/frame',
        { websocket: true, maxConnections: 0, refuse: 'close-frame' },
        () => {},
      )
      instance.get('/hook', { websocket: true, preValidation: refuses }, () => {})
      instance.get('/no', { websocket: true, preValidation: no }, () => {})
      instance.get('/fails', { websocket: true, preValidation: fails }, () => {})
      instance.get('/taken', { websocket: true, preValidation: takes }, () => {})
      instance.get('/late', { websocket: true, preValidation: late(asking) }, () => {})
      instance.get('/plain', () => 'plain')
    },
  })
  const paths = ['/full', '/frame', '/hook', '/no', '/fails', '/taken', '/nowhere', '/plain', '/%']
  for (const path of paths) {
    const peer = await RawPeer.dial(portOf(app), path)
    await peer.answer()
    peer.destroy()
  }
  const lost = await RawPeer.dial(portOf(app), '/late')
  await asking.opened
  lost.reset()
  await spans.one('GET /late')
  const told = spans.all.map(({ name, attributes, status }) => [
    name,
    attributes['websocket.upgrade.outcome'],
    attributes['http.response.status_code'],
    attributes['websocket.upgrade.refusal'],
    attributes['error.type'] ?? SpanStatusCode[status.code],
  ])
  assert.deepEqual(told, [
    ['GET /full', 'refused', 503, 'limit', '503'],
    ['GET /frame', 'refused', 101, 'limit', 'UNSET'],
    ['GET /hook', 'refused', 101, 'hook', 'UNSET'],
    ['GET /no', 'answered', 401, undefined, 'UNSET'],
    ['GET /fails', 'answered', 500, undefined, '500'],
    ['GET /taken', 'answered', undefined, undefined, 'UNSET'],
    ['GET', 'refused', 404, 'route', 'UNSET'],
    ['GET /plain', 'refused', 404, 'route', 'UNSET'],
    ['GET', 'refused', 400, 'route', 'UNSET'],
    ['GET /late', 'lost', undefined, undefined, 'UNSET'],
  ])
})

test('an upgrade within a span that is under way is INTERNAL, and a child of it', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => void instance.get('/', { websocket: true }, () => {}),
  })
  const outer = tracer.startSpan('outer')
  const emit = app.server.emit.bind(app.server)
  // As an instrumentation of node's http would do it.
  app.server.emit = (event: string, ...args: unknown[]): boolean =>
    context.with(trace.setSpan(context.active(), outer), () => emit(event, ...args))
  const peer = await RawPeer.open(portOf(app), '/')
  const inner = await spans.one('GET /')
  assert.equal(inner.kind, SpanKind.INTERNAL)
  assert.equal(inner.parentSpanContext?.spanId, outer.spanContext().spanId)
  outer.end()
  const second = await RawPeer.open(portOf(app), '/')
  const [, alone] = await spans.of('GET /', 2)
  assert.ok(alone)
  assert.equal(alone.kind, SpanKind.SERVER)
  assert.equal(alone.parentSpanContext, undefined)
  for (const each of [peer, second]) each.destroy()
})

test('a callback of a handshake that fails is an event of its span', async (t) => {
  const app = await serveTraced(t, {
    options: {
      websocket: {
        verifyClient: () => {
          throw new Error('verify')
        },
      },
    },
    routes: (instance) => void instance.get('/', { websocket: true }, () => {}),
  })
  const peer = await RawPeer.dial(portOf(app), '/')
  const span = await spans.one('GET /')
  assert.deepEqual(eventsOf(span), ['exception: verify'])
  assert.equal(span.status.code, SpanStatusCode.ERROR)
  assert.equal(span.attributes['websocket.upgrade.outcome'], 'lost')
  peer.destroy()
})

test('releases of an upgrade that does not open are children of its span', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => {
      instance.get(
        '/',
        {
          websocket: true,
          preValidation: async (request, reply) => {
            request.wsScope?.defer(function freeSeat() {
              throw new Error('stuck')
            })
            await no(request, reply)
          },
        },
        () => {},
      )
    },
  })
  const peer = await RawPeer.dial(portOf(app), '/')
  await peer.answer()
  const release = await spans.one('WebSocket release freeSeat /')
  const upgrade = await spans.one('GET /')
  assert.equal(release.parentSpanContext?.spanId, idOf(upgrade))
  assert.deepEqual(eventsOf(release), ['exception: stuck'])
  peer.destroy()
})

test('over TLS the scheme is https', async (t) => {
  const app = await serveTraced(t, {
    fastify: { https: { key, cert } } as FastifyServerOptions,
    routes: (instance) => void instance.get('/', { websocket: true }, () => {}),
  })
  const stream = connect({ port: portOf(app), host: '127.0.0.1', ca: cert })
  await once(stream, 'secureConnect')
  const peer = await RawPeer.over(stream, portOf(app))
  const { attributes } = await spans.one('GET /')
  assert.equal(attributes['url.scheme'], 'https')
  peer.destroy()
})

test('a stream that is no socket has a span, too', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => {
      instance.get('/', { websocket: true }, (socket) => socket.on('message', () => {}))
    },
  })
  const client = await app.injectWS('/')
  const span = await spans.one('GET /')
  assert.equal(span.attributes['http.response.status_code'], 101)
  client.terminate()
})

test('a client that its propagator cannot read has a trace of its own, and the process lives', async (t) => {
  const failing = {
    inject: () => {},
    extract: () => {
      throw new Error('URI malformed')
    },
    fields: () => [],
  }
  propagation.disable()
  propagation.setGlobalPropagator(failing)
  t.after(() => {
    propagation.disable()
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  })
  const { peer } = await connectTraced(t)
  const span = await spans.one('GET /')
  assert.deepEqual(eventsOf(span), ['exception: URI malformed'])
  peer.destroy()
})

test('an upgrade within a span that is not sampled is not sampled either', async (t) => {
  const app = await serveTraced(t, {
    routes: (instance) => void instance.get('/', { websocket: true }, () => {}),
  })
  const parent = { traceId: TRACE, spanId: 'b'.repeat(16), traceFlags: TraceFlags.NONE }
  const emit = app.server.emit.bind(app.server)
  app.server.emit = (event: string, ...args: unknown[]): boolean =>
    context.with(trace.setSpanContext(context.active(), parent), () => emit(event, ...args))
  const peer = await RawPeer.open(portOf(app), '/')
  peer.send(RawPeer.closeFrame(1000))
  await spans.one('WebSocket end /')
  assert.equal(spans.names.includes('GET /'), false)
  peer.destroy()
})
