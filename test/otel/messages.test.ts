// The span of a message: its parent, its links, its errors.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { WebsocketOtelOptions } from '../../lib/otel/index.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import {
  connectTraced,
  currentId,
  eventsOf,
  idOf,
  linksOf,
  spans,
  traceOf,
} from '../support/servers/spans.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'

const { frame } = RawPeer
const text = (value: unknown): Buffer => frame(OPCODE.text, JSON.stringify(value))

const [TRACE, SPAN] = ['c'.repeat(32), 'd'.repeat(16)]
const traceparent = `00-${TRACE}-${SPAN}-01`

test('a message begins a trace of its own, and has a link to the span of its upgrade', async (t) => {
  const { peer, socket } = await connectTraced(t, { route: { onMessage: () => {} } })
  peer.send(text(1), text(2))
  const messages = await spans.of('WebSocket message /', 2)
  const upgrade = await spans.one('GET /')
  for (const span of messages) {
    assert.equal(span.kind, SpanKind.CONSUMER)
    assert.equal(span.parentSpanContext, undefined)
    assert.deepEqual(linksOf(span), [idOf(upgrade)])
    assert.equal(span.status.code, SpanStatusCode.UNSET)
    assert.deepEqual(span.attributes, {
      'http.route': '/',
      'network.protocol.name': 'websocket',
      'websocket.connection.id': socket.id,
    })
  }
  assert.equal(new Set([upgrade, ...messages].map(traceOf)).size, 3)
  peer.destroy()
})

const EXTRACTS: Readonly<Record<string, NonNullable<WebsocketOtelOptions['extract']>>> = {
  'a carrier that the message has': (message) =>
    (JSON.parse(String(message)) as { trace: Record<string, string> }).trace,
  'a context of OpenTelemetry': () =>
    trace.setSpanContext(ROOT_CONTEXT, { traceId: TRACE, spanId: SPAN, traceFlags: 1 }),
}

for (const [title, extract] of Object.entries(EXTRACTS)) {
  test(`a message belongs to the trace that extract() says: ${title}`, async (t) => {
    const seen: Array<string | undefined> = []
    const route = { onMessage: () => void seen.push(currentId()) }
    const { peer } = await connectTraced(t, { route }, { extract })
    peer.send(text({ trace: { traceparent } }))
    const message = await spans.one('WebSocket message /')
    assert.equal(traceOf(message), TRACE)
    assert.equal(message.parentSpanContext?.spanId, SPAN)
    assert.deepEqual(linksOf(message), [idOf(await spans.one('GET /'))])
    assert.deepEqual(seen, [idOf(message)])
    peer.destroy()
  })
}

test('extract() gets what onMessage gets', async (t) => {
  const got: unknown[] = []
  const { peer, socket } = await connectTraced(
    t,
    { route: { onMessage: () => {} } },
    {
      extract: (message, connection) => {
        got.push(message, connection)
        return undefined
      },
    },
  )
  peer.send(frame(OPCODE.binary, 'x'))
  await spans.one('WebSocket message /')
  assert.deepEqual(got, [Buffer.from('x'), socket])
  peer.destroy()
})

test('a message that says nothing of a trace, or nonsense, is handled all the same', async (t) => {
  const handled: string[] = []
  const { peer } = await connectTraced(
    t,
    { route: { onMessage: (_socket, _request, message) => void handled.push(String(message)) } },
    {
      extract: (message) => {
        const said = JSON.parse(String(message)) as Record<string, unknown>
        if (said['throws'] === true) throw new Error('extract')
        if (said['rejects'] === true) return Promise.reject(new Error('async')) as never
        return said['trace'] as Record<string, unknown>
      },
    },
  )
  const messages = [
    {},
    { trace: null },
    { trace: 5 },
    { trace: { traceparent: 'nonsense' } },
    { trace: { traceparent: 5 } },
    { rejects: true },
    { trace: { baggage: 5 } },
    { throws: true },
  ]
  peer.send(...messages.map(text))
  const found = await spans.of('WebSocket message /', messages.length)
  assert.deepEqual(
    handled,
    messages.map((each) => JSON.stringify(each)),
  )
  for (const span of found) {
    assert.equal(span.parentSpanContext, undefined)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
  }
  const events = found.map(eventsOf)
  assert.deepEqual(events.flat(), ['exception: extract'])
  assert.deepEqual(events.at(-1), ['exception: extract'])
  peer.destroy()
})

const WRONGS: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new TypeError('wrong')
  },
  rejects: () => Promise.reject(new TypeError('wrong')),
}

for (const [kind, onMessage] of Object.entries(WRONGS)) {
  test(`an onMessage that ${kind} fails its span, and that of the end`, async (t) => {
    const { peer } = await connectTraced(t, { route: { onMessage } })
    peer.send(text(1))
    await peer.nextOf(OPCODE.close)
    peer.destroy()
    const end = await spans.one('WebSocket end /')
    const message = await spans.one('WebSocket message /')
    for (const span of [message, end]) {
      assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: 'wrong' })
      assert.deepEqual(eventsOf(span), ['exception: wrong'])
      assert.equal(span.attributes['error.type'], 'TypeError')
    }
  })
}

test('an onMessage that stops because its connection has ended is no failure', async (t) => {
  const begun = gate()
  const { peer } = await connectTraced(t, {
    route: {
      onMessage: async ({ scope: { signal } }, _request, message) => {
        if (message === '"late"') throw new Error('late', { cause: 'something else' })
        begun.open()
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () =>
            reject(new Error('stopped', { cause: signal.reason })),
          )
        })
      },
    },
  })
  peer.send(text(1), text('late'))
  await begun.opened
  peer.reset()
  const [stopped, late] = await spans.of('WebSocket message /', 2)
  assert.ok(stopped && late)
  assert.deepEqual(stopped.status, { code: SpanStatusCode.UNSET })
  assert.deepEqual(late.status, { code: SpanStatusCode.ERROR, message: 'late' })
})

test('the span of an onMessage that hangs ends with its connection, and says so', async (t) => {
  const clock = new FakeClock()
  const begun = gate()
  const { peer } = await connectTraced(t, {
    clock,
    route: {
      cleanupTimeout: 5_000,
      onMessage: async () => {
        begun.open()
        await never
      },
    },
  })
  peer.send(text(1))
  await begun.opened
  peer.reset()
  while (!spans.names.includes('WebSocket end /')) await clock.advance(1_000)
  const message = await spans.one('WebSocket message /')
  assert.equal(message.attributes['websocket.step.overran'], true)
})

test('messages that are handled at the same time have each its own span', async (t) => {
  const seen: Array<string | undefined> = []
  const both = gate()
  const { peer } = await connectTraced(t, {
    route: {
      inbox: { concurrency: 2 },
      onMessage: async () => {
        seen.push(currentId())
        if (seen.length === 2) both.open()
        await both.opened
        seen.push(currentId())
      },
    },
  })
  peer.send(text(1), text(2))
  const [first, second] = (await spans.of('WebSocket message /', 2)).map(idOf)
  assert.deepEqual(seen, [first, second, first, second])
  assert.notEqual(first, second)
  peer.destroy()
})

test('without `messages` there is no span of a message; that of the upgrade is current', async (t) => {
  const seen: Array<string | undefined> = []
  const { peer } = await connectTraced(
    t,
    {
      route: {
        onMessage: (socket) => {
          seen.push(currentId())
          socket.send('done')
        },
      },
    },
    { messages: false },
  )
  peer.send(text(1))
  await peer.next()
  assert.deepEqual(seen, [idOf(await spans.one('GET /'))])
  assert.deepEqual(spans.names, ['GET /'])
  peer.destroy()
})

const HOSTILE: ReadonlyArray<readonly [string, () => object]> = [
  ['has only the method by which a context is known', () => ({ getValue: () => undefined })],
  [
    'throws when it is asked',
    () => ({
      getValue: () => {
        throw new Error('as asked')
      },
    }),
  ],
  ['has no span where a span is looked for', () => ({ getValue: () => ({}) })],
]
for (const [title, carried] of HOSTILE) {
  test(`extract() returns what ${title}: the message is handled, and has a span`, async (t) => {
    const { peer } = await connectTraced(
      t,
      { route: { onMessage: (socket) => void socket.send('handled') } },
      { extract: carried as never },
    )
    peer.send(RawPeer.frame(OPCODE.text, 'hi'))
    assert.equal(String((await peer.nextOf(OPCODE.text))?.payload), 'handled')
    const span = await spans.one('WebSocket message /')
    assert.equal(span.parentSpanContext, undefined)
    assert.equal(span.events.length, 1)
    peer.destroy()
  })
}

test('an error whose parts throw, or are of other types, ends no more than its connection', async (t) => {
  const odd = [
    Object.assign(new Error('odd code'), { code: Object.create(null) as object }),
    Object.assign(new Error('odd name'), { name: 7 }),
    new Proxy(new Error('odd stack'), {
      get: (error, part) => {
        if (part === 'stack') throw new Error('as asked')
        return Reflect.get(error, part) as unknown
      },
    }),
  ]
  for (const error of odd) {
    const { peer, socket } = await connectTraced(t, {
      route: {
        onMessage: () => {
          throw error
        },
      },
    })
    peer.send(RawPeer.frame(OPCODE.text, 'hi'))
    await peer.nextOf(OPCODE.close)
    peer.destroy()
    assert.equal((await socket.closed).cause, 'handler-error')
    const span = await spans.one('WebSocket message /')
    assert.match(String(eventsOf(span)[0]), /^exception: /)
  }
})
