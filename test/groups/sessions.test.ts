// On routes with `resume` the members are sessions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSession } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { untilEnd } from '../support/peers/heard.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { serveSessions, WINDOW } from '../support/servers/with-sessions.js'
import { until } from '../support/time/timed.js'

test('a session is a member over its connections; suspended it gets what was sent when it is back', async (t) => {
  const { app, noted, sessions, url } = await serveSessions(t, {
    route: { groups: (request) => (request.params as { room: string }).room },
  })
  const first = await LinkPeer.confirmed(url)
  const room = app.websocketLifecycle.group(url.split('/').at(-1) as string)
  const [session] = sessions
  assert.ok(session)
  assert.deepEqual([session.groups, [...room]], [[room.name], [session]])
  assert.deepEqual(room.send('one'), { sent: 1, dropped: 0 })
  await first.expect('one')
  first.cut()
  await noted('suspend')
  assert.deepEqual([room.size, session.groups], [1, [room.name]])
  assert.deepEqual(room.send('two'), { sent: 1, dropped: 0 })
  session.send('alone')
  room.send('\0three')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 1) })
  for (const text of ['two', 'alone', '\0three']) await second.expect(text)
  assert.equal(room.size, 1)
  assert.deepEqual(app.websocketLifecycle.describe(session).groups, [room.name])
})

test('it leaves when its window is over, before onClose', async (t) => {
  const seen: unknown[] = []
  const { app, clock, noted, sessions, url } = await serveSessions(t, {
    route: {
      groups: () => 'all',
      onClose: (gone: LifecycleSession) => void seen.push(gone.groups),
    },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  assert.equal(app.websocketLifecycle.group('all').size, 1)
  await clock.advance(WINDOW + 1_000)
  await sessions[0]?.closed
  assert.deepEqual(seen, [[]])
  assert.equal(app.websocketLifecycle.groups.size, 0)
  assert.equal(app.websocketLifecycle.group('all').add(sessions[0] as LifecycleSession), false)
})

test('a resume asks for no groups again', async (t) => {
  let asked = 0
  const { noted, sessions, url } = await serveSessions(t, {
    route: { groups: () => [`all ${++asked}`] },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.deepEqual([asked, sessions[0]?.groups], [1, ['all 1']])
})

test('a client that does not speak the link is a member like any other', async (t) => {
  const { app, sessions, url } = await serveSessions(t, { route: { groups: () => 'all' } })
  const all = app.websocketLifecycle.group('all')
  const plain = await connect(url)
  const link = await LinkPeer.confirmed(url)
  await until(() => sessions.length === 2)
  assert.deepEqual(all.send('a', { except: sessions[1] }), { sent: 1, dropped: 0 })
  all.send('b')
  await link.expect('b')
  assert.deepEqual([await plain.next(), await plain.next()], ['a', 'b'])
  all.close(4000, 'over')
  assert.deepEqual(await untilEnd(plain), ['close 4000 over'])
  await link.expect('close 4000 over')
  assert.equal(all.size, 0)
})

test('the outbox of each session bounds what it keeps', async (t) => {
  const { app, noted, sessions, url } = await serveSessions(t, {
    route: {
      groups: () => 'all',
      outbox: { maxBytes: 1_000, highWaterMark: 500, overflow: 'drop' },
    },
  })
  const all = app.websocketLifecycle.group('all')
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  const text = 'x'.repeat(700)
  assert.deepEqual(all.send(text), { sent: 1, dropped: 0 })
  assert.deepEqual(all.send(text), { sent: 0, dropped: 1 })
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
  const again = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  await again.expect(text)
  assert.equal(sessions[0]?.suspended, false)
})

test('who ends its session is handed before what the group has sent', async (t) => {
  const { app, sessions, url } = await serveSessions(t, { route: { groups: () => 'all' } })
  const peer = await LinkPeer.confirmed(url)
  app.websocketLifecycle.group('all').send('bye')
  sessions[0]?.close(4000)
  await peer.expect('bye')
  await peer.expect('close 4000')
})

test('the socket of a session is its session', async (t) => {
  const { app, sessions, url } = await serveSessions(t, { route: { groups: () => 'all' } })
  await LinkPeer.confirmed(url)
  const [socket] = app.websocketServer.clients
  const all = app.websocketLifecycle.group('all')
  assert.equal(all.has(socket as never), true)
  assert.deepEqual([...all], sessions)
})

test('our client on a plain route reads texts that look like control frames, long ones too', async (t) => {
  const perMessageDeflate = { serverNoContextTakeover: true, threshold: 100 }
  const app = await serve(t, {
    options: { keepalive: false, websocket: { perMessageDeflate } },
    routes: (instance) => {
      instance.get('/', { websocket: true, groups: () => 'all' }, () => {})
    },
  })
  const peer = await LinkPeer.connect(`ws://127.0.0.1:${portOf(app)}/`)
  const all = app.websocketLifecycle.group('all')
  const long = `\0${'x'.repeat(40_000)}`
  for (const text of ['\0short', long, 'y'.repeat(40_000)]) {
    all.send(text)
    await peer.expect(text)
  }
  all.send(long)
  all.send(Buffer.from('\0abc'))
  await peer.expect(long)
  await peer.expect('<00616263>')
})
