import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { CloseInfo, LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { refusal } from '../support/peers/client.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { portOf } from '../support/servers/app.js'
import { serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

test('the client is told what has come: at once after 32 messages or 16 KiB, else after a second', async (t) => {
  const { clock, url } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  for (let i = 0; i < 32; i++) peer.send('x')
  await peer.expect('a32')
  peer.send('y'.repeat(16 * 1024))
  await peer.expect('a33')
  peer.send('z')
  await peer.roundTrip()
  assert.ok(!peer.frames.includes('a34'))
  await clock.advance(2_000)
  await peer.expect('a34')
})

test('a probe is answered at once, and a kind that nobody knows is ignored', async (t) => {
  const { url, events } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  for (const frame of ['x', '\0z of a later version', '\0p']) peer.send(frame)
  await peer.expect('a1')
  assert.deepEqual(events, ['handler', 'message x'])
})

test('a flood of probes by a client that does not read costs no memory', async (t) => {
  const { app, clock, url, sessions, noted } = await serveSessions(t, {
    route: { outbox: { highWaterMark: 100, maxBytes: 64 * 1024 * 1024 } },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  // More than the kernel takes.
  const large = 'x'.repeat(16 * 1024 * 1024)
  sessions[0]?.send(large)
  for (let i = 0; i < 20_000; i++) peer.send('\0p')
  peer.send('last')
  await noted('message last')
  const [socket] = app.websocketServer.clients
  assert.ok(socket)
  const most = large.length + 14
  assert.ok(socket.bufferedAmount <= most, `${socket.bufferedAmount} B wait`)

  peer.raw.resume()
  await peer.expect(large)
  await until(() => socket.bufferedAmount === 0)
  await clock.advance(2_000)
  await peer.expect('a1')
})

for (const [what, frame] of [
  ['a malformed count', '\0ax'],
  ['a count of what was never sent', '\0a1'],
  ['a welcome', '\0w{"v":1}'],
  ['a word that only the server says', '\0b100'],
  ['a control frame without a kind', '\0'],
] as const) {
  test(`${what} ends the session: 1002`, async (t) => {
    const { url, closes, noted } = await serveSessions(t)
    const peer = await LinkPeer.confirmed(url)
    peer.send(frame)
    assert.match(await peer.closed, /^close 1002 (malformed-control-frame|impossible-count)$/)
    await noted('release')
    assert.equal(closes[0]?.cause, 'protocol-error')
    const next = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
    assert.equal(next.welcome.isResumed, false)
  })
}

test('a count below what was confirmed before ends the session too', async (t) => {
  const { url, sessions } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  sessions[0]?.send('x')
  await peer.expect('x')
  peer.ack(1)
  peer.ack(0)
  assert.equal(await peer.closed, 'close 1002 impossible-count')
})

/** A client of ours on a route without sessions. */
async function openPlain(
  t: TestContext,
  handler: (socket: LifecycleSocket) => unknown,
  route: Partial<RouteLifecycleOptions> = {},
): Promise<LinkPeer> {
  const app = await serve(t, {
    options: { keepalive: false },
    routes: (instance) => void instance.get('/plain', { websocket: true, ...route }, handler),
  })
  const peer = new LinkPeer(`ws://127.0.0.1:${portOf(app)}/plain`)
  await peer.expect('welcome')
  return peer
}

describe('a client of ours on a route without sessions', () => {
  test('may confirm what was sent to it, and no more', async (t) => {
    const peer = await openPlain(t, (socket) => void socket.send('one'))
    await peer.expect('one')
    peer.ack(1)
    peer.ack(2)
    assert.equal(await peer.closed, 'close 1002 impossible-count')
  })

  test('gets a text whole that is sent in fragments, marked once', async (t) => {
    const peer = await openPlain(t, (socket) => {
      socket.send('\0a', { fin: false })
      socket.send('\0b')
      socket.send('fine')
    })
    await peer.expect('\0a\0b')
    await peer.expect('fine')
  })

  test('may send a marked text that nobody listens to', async (t) => {
    const peer = await openPlain(t, () => {})
    peer.send('\0\0unheard')
    peer.send('\0p')
    await peer.expect('a1')
  })

  test('that believes its connection dead is lost, not closed', async (t) => {
    const heard: unknown[] = []
    let closed: Promise<unknown> | undefined
    const peer = await openPlain(t, (socket) => {
      socket.on('close', (code) => heard.push(code))
      socket.addEventListener('close', ({ code, wasClean }) => heard.push(code, wasClean))
      closed = socket.closed
    })
    peer.ws.close(4990)
    const close = (await closed) as { cause: string; code: number; received: unknown }
    assert.deepEqual(
      [close.cause, close.code, close.received],
      ['connection-lost', 1006, undefined],
    )
    assert.deepEqual(heard, [1006, 1006, false])
  })

  test('whose close frame crosses that of the app is lost, and not clean to anybody', async (t) => {
    const heard: unknown[] = []
    let closed: Promise<CloseInfo> | undefined
    const peer = await openPlain(t, (socket) => {
      socket.addEventListener('close', ({ code, wasClean }) => heard.push(code, wasClean))
      closed = socket.closed
      // The two close frames cross.
      socket.once('message', () => socket.close(1000))
    })
    peer.send('x')
    peer.ws.close(4990)
    const close = await closed
    assert.deepEqual([close?.clean, close?.received], [false, undefined])
    assert.deepEqual(heard, [1006, false])
  })

  test('is not heard any more after the app has closed, though its connection was lost before', async (t) => {
    const handled: string[] = []
    const lost = gate()
    const ended = gate()
    const peer = await openPlain(
      t,
      async (socket) => {
        socket.once('close', () => lost.open())
        await lost.opened
        socket.close(1008, 'not you')
      },
      {
        onMessage: (_socket, _request, message) => void handled.push(message.toString()),
        onClose: () => ended.open(),
      },
    )
    peer.send('before it was known')
    peer.ws.close(4990)
    await ended.opened
    assert.deepEqual(handled, [])
  })
})

test('resume.key has to answer with a string or null', async (t) => {
  for (const answer of [() => undefined, () => 7, async () => Promise.reject(new Error('async'))]) {
    const { url } = await serveSessions(t, { route: { resume: { key: answer as never } } })
    const { status, body } = await refusal(url)
    assert.equal(status, 500)
    assert.match(body, /Expected `resume.key` to return a string or null, got /)
  }
})

test('what the app holds is the session', async (t) => {
  const { app, url, sessions, noted } = await serveSessions(t, {
    options: { keepalive: { interval: 1_000 } },
  })
  const first = await LinkPeer.confirmed(url)
  const [session] = sessions
  assert.ok(session)
  assert.equal(session.request.url, '/ws/7')
  assert.deepEqual([...app.websocketLifecycle.sessions], [session])
  assert.equal(app.websocketLifecycle.connections.size, 0)
  assert.equal(session.latency, undefined)
  const { id } = session
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  assert.equal(session.id, id)
  second.ws.close(1000)
  assert.equal((await session.closed).cause, 'client-close')
})

test('a session survives where messages are compressed', async (t) => {
  const { url, sessions, noted } = await serveSessions(t, {
    options: { keepalive: false, websocket: { perMessageDeflate: { threshold: 0 } } },
  })
  const first = await LinkPeer.confirmed(url)
  assert.match(first.ws.extensions, /permessage-deflate/)
  first.send('x'.repeat(10_000))
  await noted('message')
  first.cut()
  await noted('suspend')
  sessions[0]?.send('y'.repeat(10_000))
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(second.welcome.received, 1)
  await second.expect('y'.repeat(10_000))
})

test('a full inbox pauses reading of the next connection too, and nothing is lost', async (t) => {
  const handled: string[] = []
  const first = gate()
  const { url, noted } = await serveSessions(t, {
    route: {
      inbox: { maxMessages: 2 },
      async onMessage(_session, _request, message) {
        handled.push(message.toString())
        await first.opened
      },
    },
  })
  const before = await LinkPeer.confirmed(url)
  for (let i = 0; i < 4; i++) before.send(`${i}`)
  await turns(20)
  const second = await LinkPeer.connect(url, { resume: before.resume(1, 0) })
  const { received } = second.welcome
  for (let i = received; i < 10; i++) second.send(`${i}`)
  await turns(20)
  first.open()
  await noted('resume')
  await until(() => handled.length === 10)
  assert.deepEqual(handled, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
})
