// How a session ends whose client is away: what becomes of messages that wait, and what is told of it to whom.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions, type WithSessions } from '../support/servers/with-sessions.js'
import { type Gate, gate } from '../support/time/gate.js'

interface Busy extends WithSessions {
  readonly peer: LinkPeer
  /** Opened by the test: the first message has been handled. */
  readonly first: Gate
}

/** A session that is away. Its first message is being handled, and a second one waits. */
async function busy(t: TestContext, outbox: object = {}): Promise<Busy> {
  const first = gate()
  const events: string[] = []
  const served = await serveSessions(t, {
    route: {
      outbox,
      async onMessage(_session, _request, message) {
        events.push(`message ${message.toString()}`)
        await first.opened
      },
    },
  })
  const peer = await LinkPeer.confirmed(served.url)
  peer.send('one')
  peer.send('two')
  await peer.roundTrip()
  peer.cut()
  await served.noted('suspend')
  assert.deepEqual(events, ['message one'])
  return { ...served, events, peer, first }
}

test('messages that wait are handled when its window is over', async (t) => {
  const { clock, events, first, noted } = await busy(t)
  await clock.advance(61_000)
  first.open()
  await noted('release')
  assert.deepEqual(events, ['message one', 'message two'])
})

test('messages that wait are not handled any more after close()', async (t) => {
  const { app, events, first, sessions, noted } = await busy(t)
  sessions[0]?.close()
  first.open()
  await noted('release')
  assert.deepEqual(events, ['message one'])
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})

test('messages that wait are dropped at once when too much is kept for it', async (t) => {
  const { app, closes, events, first, sessions, noted } = await busy(t, {
    highWaterMark: 1,
    maxBytes: 10,
  })
  sessions[0]?.send('x'.repeat(10))
  sessions[0]?.send('y')
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
  first.open()
  await noted('release')
  assert.deepEqual(events, ['message one'])
  assert.equal(closes[0]?.cause, 'slow-consumer')
})

test('how it has ended is told on its own path only', async (t) => {
  const { url, sessions, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  sessions[0]?.close(4001, 'bye')
  await noted('release')
  const resume = peer.resume(1, 0)
  const other = await LinkPeer.connect(url.replace(/7$/, '8'), { resume })
  assert.equal(other.welcome.isResumed, false)
  assert.equal(await new LinkPeer(url, { resume }).closed, 'close 4001 bye')
})
