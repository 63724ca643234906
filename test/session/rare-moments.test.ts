import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { LifecycleSession, LifecycleSocket } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/app.js'
import { serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { delivered } from '../support/time/delivered.js'
import { threadPool } from '../support/time/thread-pool.js'

test('who resumes a session has its token: it waits for him though he has confirmed nothing', async (t) => {
  const { url, events, noted } = await serveSessions(t)
  const first = await LinkPeer.connect(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  second.cut()
  await noted('suspend', 2)
  assert.deepEqual(events.at(-1), 'suspend connection-reset')
  const third = await LinkPeer.connect(url, { resume: first.resume(2, 0) })
  assert.equal(third.welcome.isResumed, true)
})

test('what a callback of send() sends when the client comes back is after the welcome, and comes once', async (t) => {
  const { url, sessions, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  const session = sessions[0] as LifecycleSession
  session.send('a', () => session.send('next'))
  session.send('b')
  await first.expect('a')
  await first.expect('b')
  first.cut()
  await noted('suspend')
  const second = new LinkPeer(url, { resume: first.resume(1, 1) })
  const frames = [await second.next(), await second.next(), await second.next()]
  assert.deepEqual(frames, ['welcome', 'b', 'next'])
  await second.roundTrip()
  assert.deepEqual(second.frames, frames)
})

test('what a confirmation frees is free for what the callbacks of send() send', async (t) => {
  const { url, events, sessions } = await serveSessions(t, {
    options: { outbox: { highWaterMark: 10, maxBytes: 100 } },
  })
  const peer = await LinkPeer.confirmed(url)
  const session = sessions[0] as LifecycleSession
  const twice = (): void => {
    session.send('x'.repeat(30))
    session.send('y'.repeat(30))
  }
  session.send('a'.repeat(10), twice)
  session.send('b'.repeat(90))
  await peer.next()
  await peer.next()
  peer.ack(2)
  await peer.roundTrip()
  assert.deepEqual(events, ['handler'])
  await peer.expect('x'.repeat(30))
  await peer.expect('y'.repeat(30))
})

test('messageRate forgives the time for which a line was dead that another one replaces', async (t) => {
  const { clock, url, events, noted } = await serveSessions(t, {
    options: { messageRate: { max: 2, window: 1_000 } },
  })
  const first = await LinkPeer.confirmed(url)
  first.raw.pause()
  // The client sends two a second, and keeps what is not confirmed, until it finds out that the line is dead.
  await clock.advance(20_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  for (let i = 0; i < 20; i++) second.send(`${i}`)
  await noted('message', 20)
  assert.deepEqual(events.slice(-2), ['message 18', 'message 19'])
})

test('a client that is told a name without the link gets no session that needs one', async (t) => {
  const { url, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url, { protocols: ['chat'] })
  first.cut()
  await noted('suspend')
  const { attempt, received, token } = first.resume(1, 0)
  const raw = ['chat', 'wsl.1.other', `wsl.r.${attempt}.${received}.${token}`]
  const second = new LinkPeer(url, { raw })
  await second.next()
  assert.equal(second.ws.protocol, 'chat')
  assert.notEqual(second.frames[0], 'welcome', 'a control frame for a plain client')
})

test('a message that is lost with its line is not counted as dropped: the client sends it again', async (t) => {
  const pool = threadPool(t)
  const { app, url, noted } = await serveSessions(t, {
    options: { websocket: { perMessageDeflate: { threshold: 0 } } },
  })
  const peer = await LinkPeer.confirmed(url)
  pool.hold()
  // The server begins to inflate it, and cannot.
  peer.raw.write(RawPeer.deflated('x'.repeat(10_000)))
  await delivered()
  peer.cut()
  await noted('suspend')
  await pool.release()
  const second = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(second.welcome.received, 0)
  second.send('x'.repeat(10_000))
  await noted('message')
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})

test('a message that a plain client loses with its line is counted as dropped', async (t) => {
  const pool = threadPool(t)
  const { app, url, noted } = await serveSessions(t, {
    options: { websocket: { perMessageDeflate: { threshold: 0 } } },
  })
  const client = new LinkPeer(url, { raw: [] })
  await once(client.ws, 'open')
  pool.hold()
  client.raw.write(RawPeer.deflated('x'.repeat(10_000)))
  await delivered()
  client.cut()
  await noted('release')
  await pool.release()
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})

/** Lets a client close with 4990, and go, while a message before that frame is still being inflated. */
async function letGoLate(t: TestContext, peer: LinkPeer, how: 'end' | 'destroy'): Promise<void> {
  const pool = threadPool(t)
  pool.hold()
  peer.raw.write(Buffer.concat([RawPeer.deflated('x'), RawPeer.closeFrame(4990)]))
  await delivered()
  peer.raw[how]()
  await delivered()
  await pool.release()
}

const COMPRESSING = { websocket: { perMessageDeflate: { threshold: 0 } } }

for (const how of ['end', 'destroy'] as const) {
  test(`a client that keeps its session has one, also if that is read when its socket has closed: ${how}`, async (t) => {
    const { url, events, noted } = await serveSessions(t, { options: COMPRESSING })
    const peer = await LinkPeer.confirmed(url)
    await letGoLate(t, peer, how)
    await noted('suspend')
    assert.equal(events.at(-1), 'suspend connection-lost')
    const second = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
    assert.equal(second.welcome.isResumed, true)
  })

  test(`on a route without sessions that is a loss to all who listen, also if it is read late: ${how}`, async (t) => {
    const sockets: LifecycleSocket[] = []
    const app = await serve(t, {
      options: { ...COMPRESSING, keepalive: false },
      routes: (instance) =>
        void instance.get('/plain', { websocket: true }, (one) => void sockets.push(one)),
    })
    const peer = new LinkPeer(`ws://127.0.0.1:${portOf(app)}/plain`)
    await peer.expect('welcome')
    const [socket] = sockets
    assert.ok(socket)
    const heard = once(socket, 'close')
    await letGoLate(t, peer, how)
    assert.deepEqual(await heard, [1006, Buffer.alloc(0)])
    const { cause, code, received } = await socket.closed
    assert.deepEqual([cause, code, received], ['connection-lost', 1006, undefined])
  })
}
