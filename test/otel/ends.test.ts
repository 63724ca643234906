// The span of an end, with its steps.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectTraced, eventsOf, idOf, linksOf, spans, traceOf } from '../support/servers/spans.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'

test('an end is a trace of its own, with its steps as children, and a link to the upgrade', async (t) => {
  const { peer, socket } = await connectTraced(t, { route: { onMessage: () => {} } })
  peer.send(RawPeer.closeFrame(4000, 'done'))
  const end = await spans.one('WebSocket end /')
  const upgrade = await spans.one('GET /')
  assert.equal(end.parentSpanContext, undefined)
  assert.notEqual(traceOf(end), traceOf(upgrade))
  assert.deepEqual(linksOf(end), [idOf(upgrade)])
  assert.deepEqual(end.attributes, {
    'http.route': '/',
    'network.protocol.name': 'websocket',
    'websocket.connection.id': socket.id,
    'websocket.close.cause': 'client-close',
    'websocket.close.initiator': 'client',
    'websocket.close.code': 4000,
    'websocket.close.clean': true,
    'websocket.close.expected': false,
  })
  assert.equal(end.status.code, SpanStatusCode.UNSET)
  const steps = spans.all.filter(({ parentSpanContext }) => parentSpanContext?.spanId === idOf(end))
  assert.deepEqual(
    steps.map(({ name }) => name),
    ['messages', 'onUnexpectedClose', 'onClose', 'release'].map((name) => `WebSocket ${name} /`),
  )
  assert.deepEqual(steps[0]?.attributes, {
    'http.route': '/',
    'network.protocol.name': 'websocket',
    'websocket.step.name': 'messages',
  })
  peer.destroy()
})

test('a step that overruns is marked, and its span ends when it is left behind', async (t) => {
  const clock = new FakeClock()
  const running = gate()
  const late = gate()
  const { peer } = await connectTraced(t, {
    clock,
    route: {
      cleanupTimeout: 5_000,
      onClose: async () => {
        running.open()
        await late.opened
        throw new Error('late')
      },
    },
  })
  peer.reset()
  await running.opened
  assert.equal(spans.names.includes('WebSocket onClose /'), false)
  await clock.advance(5_000)
  const end = await spans.one('WebSocket end /')
  const step = await spans.one('WebSocket onClose /')
  assert.equal(step.attributes['websocket.step.overran'], true)
  assert.equal(step.parentSpanContext?.spanId, idOf(end))
  const count = spans.all.length
  late.open()
  await turns(2)
  assert.equal(spans.all.length, count)
})

test('a hook or a release that fails says so in its span and in that of the end', async (t) => {
  const { peer } = await connectTraced(t, {
    route: {
      onClose: () => {
        throw new Error('hook')
      },
    },
    handler: ({ scope }) => scope.defer(async () => Promise.reject(new Error('release'))),
  })
  peer.send(RawPeer.closeFrame(1000))
  const end = await spans.one('WebSocket end /')
  const hook = await spans.one('WebSocket onClose /')
  const [release] = await spans.of('WebSocket release /')
  assert.ok(release)
  for (const [span, message] of [
    [hook, 'hook'],
    [release, 'release'],
  ] as const) {
    assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message })
    assert.deepEqual(eventsOf(span), [`exception: ${message}`])
  }
  assert.equal(end.status.code, SpanStatusCode.ERROR)
  assert.deepEqual(eventsOf(end), ['exception: hook', 'exception: release'])
  peer.destroy()
})

test('an error of the handler is an event of the end; one of the network is, but fails nothing', async (t) => {
  const failing = await connectTraced(t, {
    handler: () => {
      throw new Error('handler')
    },
  })
  await failing.peer.nextOf(OPCODE.close)
  failing.peer.destroy()
  const failed = await spans.one('WebSocket end /')
  assert.deepEqual(eventsOf(failed), ['exception: handler'])
  assert.equal(failed.status.code, SpanStatusCode.ERROR)
  assert.equal(failed.attributes['websocket.close.cause'], 'handler-error')

  const { peer } = await connectTraced(t)
  peer.reset()
  const reset = await spans.one('WebSocket end /')
  assert.equal(reset.attributes['websocket.close.cause'], 'connection-reset')
  assert.match(String(eventsOf(reset)), /ECONNRESET/)
  assert.equal(reset.status.code, SpanStatusCode.UNSET)
})

test('a hook of a connection that is still open is a trace of its own, linked to the upgrade', async (t) => {
  const { app, peer, socket } = await connectTraced(t, { route: { onShutdown: () => {} } })
  const closing = app.close()
  await peer.nextOf(OPCODE.close)
  peer.send(RawPeer.closeFrame(1012))
  await closing
  const hook = await spans.one('WebSocket onShutdown /')
  assert.equal(hook.parentSpanContext, undefined)
  assert.equal(hook.attributes['websocket.connection.id'], socket.id)
  assert.deepEqual(linksOf(hook), [idOf(await spans.one('GET /'))])
  peer.destroy()
})
