import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import { LinkPeer } from '../support/peers/link-peer.js'
import { gate } from '../support/time/gate.js'
import { assertBetween } from '../support/time/timed.js'
import { serveSessions, WINDOW } from '../support/servers/with-sessions.js'

for (const code of [1000, 1001, 1002, 1007, 1009, 3000, 4000]) {
  test(`a close frame of ${code} is an intention: the session ends`, async (t) => {
    const { url, events, closes, noted } = await serveSessions(t)
    const peer = await LinkPeer.confirmed(url)
    peer.ws.close(code, 'done')
    await noted('release')
    assert.deepEqual(events, ['handler', 'abort', 'close client-close', 'release'])
    assert.deepEqual([closes[0]?.code, closes[0]?.reason], [code, 'done'])
    const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
    assert.equal(next.welcome.isResumed, false)
  })
}

for (const code of [1011, 1012, 1013, 1014, 4990]) {
  test(`a close frame of ${code} is an accident: the session waits`, async (t) => {
    const { url, events, noted, sessions } = await serveSessions(t)
    const peer = await LinkPeer.confirmed(url)
    // A browser refuses to send these codes; so does ws, but for the last.
    const frame = Buffer.alloc(2)
    frame.writeUInt16BE(code)
    peer.raw.write(Buffer.concat([Buffer.from([0x88, 0x82, 0, 0, 0, 0]), frame]))
    await noted('suspend')
    const cause = code === 4990 ? 'connection-lost' : 'client-close'
    assert.deepEqual(events, ['handler', `suspend ${cause}`])
    assert.equal(sessions[0]?.scope.signal.aborted, false)
    const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
    assert.equal(next.welcome.isResumed, true)
  })
}

test('when the window is over, the session ends with the record of the lost connection', async (t) => {
  const { app, clock, url, events, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.send('one')
  await noted('message')
  peer.cut()
  await noted('suspend')
  await clock.advance(WINDOW - 100)
  assert.deepEqual(events.slice(2), ['suspend connection-reset'])
  await clock.advance(1_200)
  await noted('release')
  assert.deepEqual(events.slice(3), ['abort', 'close connection-reset', 'release'])
  const [close] = closes
  assert.deepEqual([close?.code, close?.initiator, close?.expected], [1006, 'network', false])
  assert.deepEqual([close?.resumes, close?.messagesReceived], [0, 1])
  const { sessions, closed } = app.websocketLifecycle.stats()
  assert.deepEqual([sessions.expired, sessions.suspended, closed['connection-reset']], [1, 0, 1])
  const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
})

test('the numbers of a session are the sums over its connections, and each message counts once', async (t) => {
  const { clock, url, sessions, closes, noted } = await serveSessions(t)
  const [one, two, long] = ['one'.padEnd(2_000), 'two'.padEnd(4_000), 'a'.padEnd(1_000)]
  const first = await LinkPeer.confirmed(url)
  first.send(one)
  sessions[0]?.send(long)
  await first.expect(long)
  await noted('message one')
  await clock.advance(3_000)
  first.cut()
  await noted('suspend')
  await clock.advance(10_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await second.expect(long)
  second.send(two)
  second.ack(1)
  await noted('message two')
  await clock.advance(500)
  second.ws.close(1000)
  await noted('release')
  const [close] = closes
  assert.deepEqual([close?.messagesReceived, close?.messagesSent], [2, 1])
  assert.deepEqual([close?.resumes, close?.unacknowledged], [1, 0])
  assert.equal(close?.duration, 3_500)
  assertBetween(close.bytesReceived, 6_000, 6_200)
  assertBetween(close.bytesSent, 2_000, 2_400)
})

test('latency is that of the connection; after the end it is still that of the last one', async (t) => {
  const latencies: Array<number | undefined> = []
  const { clock, url, sessions, closes, noted } = await serveSessions(t, {
    options: {
      keepalive: { interval: 1_000, timeout: 5_000 },
      onClose: (session) => void latencies.push(session.latency),
    },
  })
  const first = await LinkPeer.confirmed(url)
  const ping = once(first.ws, 'ping')
  await clock.advance(1_100)
  await ping
  await first.roundTrip()
  const [session] = sessions
  assert.notEqual(session?.latency, undefined)
  first.cut()
  await noted('suspend')
  assert.equal(session?.latency, undefined)
  await clock.advance(WINDOW + 1_000)
  await noted('release')
  assert.notEqual(session?.latency, undefined)
  assert.deepEqual([session?.latency, session?.latency], [closes[0]?.latency, latencies[0]])
})

test('a signal that is first looked at while the connection ends has aborted all the same', async (t) => {
  const requests: FastifyRequest[] = []
  const { app, url } = await serveSessions(t, {
    routes: (app) =>
      void app.get(
        '/bare',
        {
          websocket: true,
          resume: { key: () => null },
          onResume: (_session, request) => void requests.push(request),
        },
        (_session) => {},
      ),
  })
  const bare = url.replace('/ws/7', '/bare')
  const first = await LinkPeer.confirmed(bare)
  const second = await LinkPeer.connect(bare, { resume: first.resume(1, 0) })
  await second.roundTrip()
  const [session] = app.websocketLifecycle.sessions
  session?.close(1000)
  await turn()
  assert.equal(session?.scope.signal.aborted, true)
  assert.equal(requests[0]?.wsScope?.signal.aborted, true)
})

test('what the client has not confirmed is counted at the end', async (t) => {
  const { url, sessions, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  for (const message of ['a', 'b', 'c']) sessions[0]?.send(message)
  peer.ack(1)
  for (const message of ['a', 'b', 'c']) await peer.expect(message)
  peer.ws.close(1000)
  await noted('release')
  assert.equal(closes[0]?.unacknowledged, 2)
})

test('a client that has answered our close frame had received all that came before it', async (t) => {
  const { url, sessions, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  sessions[0]?.send('last')
  sessions[0]?.close(4000, 'enough')
  await peer.expect('last')
  assert.equal(await peer.closed, 'close 4000 enough')
  await noted('release')
  assert.deepEqual([closes[0]?.cause, closes[0]?.clean], ['server-close', true])
  assert.equal(closes[0]?.unacknowledged, 0)
})

test('close() while the client is away ends the session, and the client is told when it comes back', async (t) => {
  const { url, events, sessions, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.close(4001, 'bye')
  await noted('release')
  assert.deepEqual(events.slice(2), ['abort', 'close server-close', 'release'])
  const [close] = closes
  assert.deepEqual([close?.code, close?.sent, close?.received], [1006, undefined, undefined])
  assert.deepEqual([close?.initiator, close?.expected, close?.retryable], ['server', true, false])
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 4001 bye')
  assert.deepEqual(back.frames, ['close 4001 bye'])
  const other = await LinkPeer.connect(url, {
    resume: peer.resume(2, 0),
    headers: { 'x-user': 'eve' },
  })
  assert.equal(other.welcome.isResumed, false)
})

test('a code that may be tried again is not remembered: the client begins anew', async (t) => {
  const { url, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.close(1013)
  await noted('release')
  const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
})

test('for one window it is remembered how a session has ended that the client did not hear of', async (t) => {
  const { clock, url, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.close(1008)
  await noted('release')
  await clock.advance(WINDOW)
  const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
})

test('a close frame that was not answered is told again when the client comes back', async (t) => {
  const { clock, url, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  sessions[0]?.close(4002, 'moved')
  await clock.advance(10_000)
  await noted('release')
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 4002 moved')
})

test('terminate() while the client is away ends the session; the client begins anew', async (t) => {
  const { url, events, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.terminate()
  sessions[0]?.terminate()
  await noted('release')
  assert.deepEqual(events.slice(2), ['abort', 'close server-terminate', 'release'])
  const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
})

test('terminate() of a connected session ends it', async (t) => {
  const { url, events, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  sessions[0]?.terminate()
  assert.equal(await peer.closed, 'close 1006')
  await noted('release')
  assert.deepEqual(events, ['handler', 'abort', 'close server-terminate', 'release'])
})

test('what the app does while the connection is being lost ends the session when it is lost', async (t) => {
  const { url, events, sessions, closes, noted } = await serveSessions(t, {
    route: {
      onMessage: (session, request) => {
        // The peer's FIN has come, and what it sent before it is still being read.
        request.raw.socket.emit('end')
        session.close(4003, 'late')
      },
    },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.send('x')
  await noted('release')
  assert.equal(sessions.length, 1)
  assert.deepEqual(events.at(-2), 'close server-close')
  assert.equal(closes[0]?.cause, 'server-close')
})

test('a socket that the session has lost cannot end it any more', async (t) => {
  const { url, events, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  first.raw.pause()
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  first.ws.close(1000)
  first.raw.resume()
  await first.closed
  second.send('alive')
  await noted('message alive')
  assert.equal(second.ws.readyState, WebSocket.OPEN)
  assert.ok(!events.includes('close client-close'))
})

test('messages that still wait for the handler are dropped when the peer breaks the protocol', async (t) => {
  const handler = gate()
  const { url, events, noted } = await serveSessions(t, { handler: () => handler.opened })
  const peer = await LinkPeer.confirmed(url)
  peer.send('waits')
  await peer.roundTrip()
  // A frame with a reserved opcode.
  peer.raw.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]))
  await peer.closed
  handler.open()
  await noted('release')
  assert.ok(!events.includes('message waits'))
  assert.ok(events.includes('close protocol-error'))
})

test('a session that ends while its client is being admitted tells it how it has ended', async (t) => {
  const [asked, hook] = [gate(), gate()]
  const { url, sessions, noted } = await serveSessions(t, {
    before: (app) => {
      app.addHook('preValidation', async (request) => {
        if (request.headers['x-slow'] === undefined) return
        asked.open()
        await hook.opened
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const back = new LinkPeer(url, { resume: first.resume(1, 0), headers: { 'x-slow': '1' } })
  await asked.opened
  sessions[0]?.close(4000, 'bye')
  await noted('release')
  hook.open()
  assert.equal(await back.closed, 'close 4000 bye')
})

test('a callback that fails while the connection is being lost ends the session when it is lost', async (t) => {
  const errors: string[] = []
  const { url, closes, noted } = await serveSessions(t, {
    route: {
      onMessage: (session, request) => {
        request.raw.socket.emit('end')
        session.send('kept')
        throw new Error('too late')
      },
      onHandlerError: (session, _request, error) => {
        errors.push(error.message)
        assert.equal(session.send('not kept'), false)
      },
    },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.send('x')
  await noted('release')
  assert.deepEqual(errors, ['too late'])
  assert.deepEqual([closes[0]?.cause, closes[0]?.unacknowledged], ['handler-error', 1])
})

test('what comes behind our close frame is dropped where the inbox is full', async (t) => {
  const handler = gate()
  const { app, clock, url, noted } = await serveSessions(t, {
    route: { inbox: { maxMessages: 1 }, maxLifetime: 20_000 },
    handler: () => handler.opened,
  })
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  peer.send('one')
  await clock.advance(21_100)
  peer.send('two')
  peer.raw.resume()
  await peer.closed
  handler.open()
  await noted('release')
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})
