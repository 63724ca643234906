import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { delivered } from '../support/time/delivered.js'
import { gate } from '../support/time/gate.js'
import { threadPool } from '../support/time/thread-pool.js'

const COMPRESSING = { websocket: { perMessageDeflate: { threshold: 0 } } }

test('a client that comes back before it is certain that its line is dead is told how the session ends', async (t) => {
  const { events, url, sessions } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  sessions[0]?.close(1008, 'banned')
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 1008 banned')
  assert.deepEqual(events, ['handler', 'abort'])
  const other = await LinkPeer.connect(url, {
    resume: peer.resume(2, 0),
    headers: { 'x-user': 'eve' },
  })
  assert.equal(other.welcome.isResumed, false)
})

test('the same, if the session is closed while ws asks whom to let in', async (t) => {
  const answers: Array<(isWelcome: boolean) => void> = []
  const asked = gate()
  const { url, sessions } = await serveSessions(t, {
    options: {
      websocket: {
        verifyClient: ({ req }, done) => {
          if (req.headers['x-slow'] === undefined) done(true)
          else asked.open()
          answers.push(done)
        },
      },
    },
  })
  const peer = await LinkPeer.confirmed(url)
  const back = new LinkPeer(url, { resume: peer.resume(1, 0), headers: { 'x-slow': '1' } })
  await asked.opened
  peer.raw.pause()
  sessions[0]?.close(4000, 'bye')
  answers.at(-1)?.(true)
  assert.equal(await back.closed, 'close 4000 bye')
})

test('a client that has answered our close frame, or may come back, is not told again', async (t) => {
  const { url, sessions } = await serveSessions(t)
  const [told, away] = [await LinkPeer.confirmed(url), await LinkPeer.confirmed(url)]
  away.raw.pause()
  sessions[1]?.close(1013)
  const anew = await LinkPeer.connect(url, { resume: away.resume(1, 0) })
  assert.equal(anew.welcome.isResumed, false)
  sessions[0]?.close(4000)
  await told.closed
  const next = await LinkPeer.connect(url, { resume: told.resume(1, 0) })
  assert.equal(next.welcome.isResumed, false)
})

test('the same, if the client has hung up while something of it is still being inflated', async (t) => {
  const pool = threadPool(t)
  const { url, events, sessions, noted } = await serveSessions(t, { options: COMPRESSING })
  const peer = await LinkPeer.confirmed(url)
  pool.hold()
  peer.raw.end(RawPeer.deflated('x'))
  await delivered()
  sessions[0]?.close(4003, 'late')
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 4003 late')
  assert.deepEqual(events, ['handler'])
  await pool.release()
  await noted('release')
  assert.deepEqual(events.at(-2), 'close server-close')
})

test('a close frame that never left is told when the client comes back', async (t) => {
  const pool = threadPool(t)
  const { clock, url, closes, sessions, noted } = await serveSessions(t, { options: COMPRESSING })
  const peer = await LinkPeer.confirmed(url)
  pool.hold()
  sessions[0]?.send('waits to be deflated')
  sessions[0]?.close(4002, 'moved')
  await clock.advance(10_000)
  await noted('close')
  assert.equal(closes[0]?.sent, undefined)
  await pool.release()
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 4002 moved')
})
