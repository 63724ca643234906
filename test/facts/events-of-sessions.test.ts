// What the plugin tells of sessions, through `node:diagnostics_channel`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear } from '../support/servers/hear.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { delivered } from '../support/time/delivered.js'
import { gate } from '../support/time/gate.js'
import { threadPool } from '../support/time/thread-pool.js'

const { frame } = RawPeer

test('a session that outlives a connection with an unclear end has not told that it is closing', async (t) => {
  const heard = hear(t, 'connection.closing', 'session.interrupted')
  const pool = threadPool(t)
  const { url, sessions, noted } = await serveSessions(t, {
    options: { keepalive: false, websocket: { perMessageDeflate: { threshold: 0 } } },
  })
  const peer = await LinkPeer.connect(url)
  pool.hold()
  // The FIN comes while the first acknowledgement still waits behind a message that is being inflated.
  peer.raw.end(Buffer.concat([RawPeer.deflated('x'), frame(OPCODE.text, '\0a0')]))
  await delivered()
  await pool.release()
  await noted('suspend')
  assert.deepEqual(heard.names, ['session.interrupted'])
  sessions[0]?.terminate()
  await heard.first('connection.closing')
  assert.equal(heard.of('connection.closing')[0]?.cause, 'server-terminate')
})

test('a session tells of its gaps, and is one connection', async (t) => {
  const heard = hear(
    t,
    'connection.opened',
    'connection.closing',
    'connection.closed',
    'connection.released',
    'session.interrupted',
    'session.resumed',
  )
  const { url, sessions, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  const third = await LinkPeer.connect(url, { resume: first.resume(2, 0) })
  await second.closed
  const [session] = sessions
  assert.ok(session)
  session.close(4000)
  await heard.first('connection.closing')
  assert.equal(await third.closed, 'close 4000')
  await heard.first('connection.released')
  assert.deepEqual(heard.names, [
    'connection.opened',
    'session.interrupted',
    'session.resumed',
    'session.resumed',
    'connection.closing',
    'connection.closed',
    'connection.released',
  ])
  const about = { id: session.id, route: '/ws/:room' }
  const [interrupted] = heard.of('session.interrupted')
  assert.deepEqual(interrupted, { ...about, close: interrupted?.close })
  assert.equal(interrupted?.close.cause, 'connection-reset')
  assert.deepEqual(
    heard.of('session.resumed').map(({ wasInterrupted }) => wasInterrupted),
    [true, false],
  )
  assert.equal(heard.of('connection.closing')[0]?.cause, 'server-close')
  assert.equal(heard.of('connection.opened')[0]?.connection, session)
})

test('a client that does not get its session tells why', async (t) => {
  const heard = hear(t, 'session.reset')
  const { url, sessions, noted } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  await LinkPeer.connect(url, { resume: { attempt: 1, received: 0, token: 'x'.repeat(22) } })
  const stale = new LinkPeer(url, { resume: first.resume(0, 0) })
  await stale.closed
  first.cut()
  await noted('suspend')
  sessions[0]?.close(4000)
  const ended = new LinkPeer(url, { resume: first.resume(1, 0) })
  await ended.closed
  const route = '/ws/:room'
  assert.deepEqual(heard.of('session.reset'), [
    { route, reason: 'unknown' },
    { route, reason: 'stale' },
    { route, reason: 'ended' },
  ])
})

test('a session whose reading is paused tells it once, over all its connections, and nothing after its end', async (t) => {
  const heard = hear(t, 'reading.paused', 'reading.resumed')
  const busy = gate()
  const { clock, url, sessions, noted } = await serveSessions(t, {
    route: { inbox: { maxMessages: 2 }, onMessage: () => busy.opened },
  })
  const first = await LinkPeer.confirmed(url)
  for (const text of ['1', '2', '3']) first.send(text)
  const { id } = await heard.first('reading.paused')
  assert.equal(id, sessions[0]?.id)
  first.cut()
  await noted('suspend')
  await clock.advance(3_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  assert.deepEqual(heard.names, ['reading.paused'])
  busy.open()
  assert.ok((await heard.first('reading.resumed')).duration >= 3_000)
  assert.deepEqual(heard.names, ['reading.paused', 'reading.resumed'])
  second.ws.close(1000)
  await noted('close')
})

test('the steps that were told do not change, and those of a request that has resumed are among them', async (t) => {
  const heard = hear(t, 'connection.released')
  const { url, sessions, noted } = await serveSessions(t, {
    before: (app) => {
      app.addHook('onRequest', async (request) => {
        request.wsScope?.defer(function ofRequest() {})
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  sessions[0]?.close(4000)
  const { steps } = await heard.first('connection.released')
  const names = steps.map(({ name }) => name)
  assert.equal(names.filter((name) => name === 'release ofRequest').length, 2)
  sessions[0]?.scope.defer(() => {})
  await delivered()
  assert.equal(steps.length, names.length)
})

test('a stall of the loop asks sessions too how many clients it would have cost', async (t) => {
  const heard = hear(t, 'loop.stalled')
  const { clock, url, noted } = await serveSessions(t)
  await LinkPeer.confirmed(url)
  const away = await LinkPeer.confirmed(url)
  away.cut()
  await noted('suspend')
  clock.stall(60_000)
  await clock.advance(1_000)
  assert.deepEqual(
    heard.of('loop.stalled').map(({ postponed }) => postponed),
    [0],
  )
})
