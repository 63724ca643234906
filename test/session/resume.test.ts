import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'

test('a session outlives the loss of its connection: nothing is missing, nothing comes twice', async (t) => {
  const { url, events, sessions, noted } = await serveSessions(t, {
    handler: (session) => session.send('hello'),
  })
  const first = await LinkPeer.confirmed(url)
  first.send('one')
  await first.expect('hello')
  await noted('message one')
  first.cut()
  await noted('suspend')
  const [session] = sessions
  assert.equal(session?.suspended, true)
  assert.equal(session.send('while you were away'), true)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.deepEqual(second.welcome, { ...first.welcome, isResumed: true, received: 1 })
  await second.expect('hello')
  await second.expect('while you were away')
  second.send('two')
  await noted('message two')
  assert.equal(session.suspended, false)
  assert.deepEqual(events, [
    'handler',
    'message one',
    'suspend connection-reset',
    'resume',
    'message two',
  ])
})

test('what the client has received is not sent again', async (t) => {
  const { url, sessions, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  for (const message of ['a', 'b', 'c']) sessions[0]?.send(message)
  for (const message of ['a', 'b', 'c']) await first.expect(message)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 2) })
  await second.expect('c')
})

test('a connection that is resumed while the server believes in it is replaced at once', async (t) => {
  const { app, url, events, sessions, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(await first.closed, 'close 1006')
  await noted('resume')
  assert.deepEqual(events, ['handler', 'suspend connection-lost', 'resume'])
  sessions[0]?.send('to the new one')
  await second.expect('to the new one')
  assert.equal(app.websocketLifecycle.stats().sessions.connected, 1)
})

test('an attempt that is not newer than the last one that was taken is turned back, and disturbs nobody', async (t) => {
  const { app, url, noted, sessions } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(3, 0) })
  for (const attempt of [3, 2, 0]) {
    const stale = new LinkPeer(url, { resume: first.resume(attempt, 0) })
    assert.equal(await stale.closed, 'close 4991 stale')
  }
  await noted('resume')
  sessions[0]?.send('still here')
  await second.expect('still here')
  assert.equal(app.websocketLifecycle.stats().sessions.stale, 3)
})

test('a client cannot have received what was never sent to it: it begins anew after 4991', async (t) => {
  const { url, sessions } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  const liar = new LinkPeer(url, { resume: first.resume(1, 1) })
  assert.equal(await liar.closed, 'close 4991 stale')
  sessions[0]?.send('undisturbed')
  await first.expect('undisturbed')
})

for (const [what, dial] of [
  ['another path', { path: '/8' }],
  ['another key', { headers: { 'x-user': 'bob' } }],
  ['an unknown token', { token: 'unknown' }],
  ['a malformed token', { token: 'not a token' }],
] as const) {
  test(`${what} gives a new session, and leaves the old one as it was`, async (t) => {
    const { url, sessions, noted } = await serveSessions(t)
    const first = await LinkPeer.confirmed(url, { headers: { 'x-user': 'ada' } })
    first.cut()
    await noted('suspend')
    const resume = { ...first.resume(1, 0), ...('token' in dial ? { token: dial.token } : {}) }
    const headers = { 'x-user': 'ada', ...('headers' in dial ? dial.headers : {}) }
    const there = 'path' in dial ? url.replace('/7', dial.path) : url
    const other =
      what === 'a malformed token'
        ? await LinkPeer.connect(there, { raw: ['wsl.1', 'wsl.r.1.x.y'], headers })
        : await LinkPeer.connect(there, { resume, headers })
    assert.equal(other.welcome.isResumed, false)
    assert.notEqual(other.welcome.token, first.welcome.token)
    assert.equal(sessions.length, 2)
    const own = { resume: first.resume(2, 0), headers: { 'x-user': 'ada' } }
    const back = await LinkPeer.connect(url, own)
    assert.equal(back.welcome.isResumed, true)
  })
}

test('another subprotocol than that of the session is turned back, and leaves the session as it was', async (t) => {
  const { url, noted, sessions } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url, { protocols: ['chat.v1'] })
  assert.equal(first.ws.protocol, 'wsl.1.chat.v1')
  assert.equal(sessions[0]?.protocol, 'chat.v1')
  first.cut()
  await noted('suspend')
  const other = new LinkPeer(url, { protocols: ['chat.v2'], resume: first.resume(1, 0) })
  assert.equal(await other.closed, 'close 4991 stale')
  const back = await LinkPeer.connect(url, { protocols: ['chat.v1'], resume: first.resume(2, 0) })
  assert.equal(back.welcome.isResumed, true)
})

test('a client that has not confirmed its welcome has no session to come back to', async (t) => {
  const { app, url, events, noted } = await serveSessions(t)
  const first = await LinkPeer.connect(url)
  first.cut()
  await noted('release')
  assert.deepEqual(events, ['handler', 'abort', 'close connection-reset', 'release'])
  const next = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
  assert.equal(app.websocketLifecycle.stats().sessions.suspended, 0)
})

test('a plain client sees nothing of it: its session ends with its connection', async (t) => {
  const { app, url, events, sessions, closes, noted } = await serveSessions(t, {
    handler: (session) => session.send('\0plain'),
  })
  const client = new LinkPeer(url, { raw: [] })
  const got: string[] = []
  client.ws.on('message', (data: Buffer) => got.push(data.toString()))
  await client.next()
  client.send('\0up')
  await noted('message')
  assert.deepEqual(got, ['\0plain'])
  assert.equal(sessions[0]?.protocol, '')
  client.cut()
  await noted('release')
  assert.deepEqual(events, [
    'handler',
    'message \0up',
    'abort',
    'close connection-reset',
    'release',
  ])
  assert.deepEqual([closes[0]?.resumes, closes[0]?.unacknowledged], [0, 0])
  assert.deepEqual([closes[0]?.messagesReceived, closes[0]?.messagesSent], [1, 1])
  await sessions[0]?.closed
  assert.equal(app.websocketLifecycle.sessions.size, 0)
})

test('the socket under a session has the names of the session', async (t) => {
  const { app, url, sessions } = await serveSessions(t)
  const sockets: LifecycleSocket[] = []
  app.websocketServer.on('connection', (socket) => sockets.push(socket as LifecycleSocket))
  const first = await LinkPeer.confirmed(url)
  assert.equal(sockets[0]?.id, sessions[0]?.id)
  assert.equal(sockets[0]?.scope, sessions[0]?.scope)
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal(sockets[1]?.id, sessions[0]?.id)
  assert.notEqual(sockets[1]?.scope, sessions[0]?.scope)
})

test('keepalive looks at a plain client as on any route', async (t) => {
  const { clock, url, noted, events } = await serveSessions(t, {
    options: { keepalive: { interval: 1_000, timeout: 1_000 } },
  })
  const client = new LinkPeer(url, { raw: [] })
  await once(client.ws, 'open')
  await client.roundTrip()
  client.raw.pause()
  await clock.advance(10_000)
  await noted('release')
  assert.ok(events.includes('close heartbeat-timeout'))
})

test('nothing counts that a connection brings which another one has replaced', async (t) => {
  const { app, url, events, noted } = await serveSessions(t)
  const sockets: LifecycleSocket[] = []
  app.websocketServer.on('connection', (socket) => sockets.push(socket as LifecycleSocket))
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  // As from a message that was still being inflated, or from a tool.
  sockets[0]?.emit('message', Buffer.from('late'), false)
  sockets[0]?.emit('error', new Error('late'))
  second.send('\0p')
  await second.expect('a0')
  assert.deepEqual(events, ['handler', 'suspend connection-lost', 'resume'])
})
