// What goes over the connections of a route, and how long calls of `onMessage` take: for those who measure.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallTimer } from '../../lib/facts/call-timer.js'
import { factsOf } from '../../lib/facts/door.js'
import type { Traffic } from '../../lib/facts/traffic.js'
import { connect } from '../support/peers/connect.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { DIFFERS } from '../support/servers/second-pass.js'
import { connectOne, serve } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

const { frame } = RawPeer

/** The numbers of messages, and what waits. */
function countsOf(traffic: Traffic | undefined): readonly unknown[] {
  assert.ok(traffic)
  const { messagesReceived, messagesSent, inboxMessages, inboxBytes, outboxBytes } = traffic
  return [messagesReceived, messagesSent, inboxMessages, inboxBytes, outboxBytes]
}

test(
  'what has gone over a connection counts once, whether it lives or has ended',
  { skip: DIFFERS.view },
  async (t) => {
    const busy = gate()
    const { app, peer, socket } = await connectOne(t, { route: { onMessage: () => busy.opened } })
    const traffic = (): Traffic | undefined => factsOf(app).traffic().get('/')
    socket.send('hello')
    peer.send(frame(OPCODE.text, 'first'), frame(OPCODE.text, 'second'))
    await until(() => countsOf(traffic())[0] === 2)
    assert.deepEqual(countsOf(traffic()), [2, 1, 1, 'firstsecond'.length, 0])
    const { bytesReceived, bytesSent } = traffic() as Traffic
    assert.deepEqual([bytesReceived, bytesSent], [6 + 5 + (6 + 6), 2 + 5])

    peer.reset()
    await until(() => app.websocketLifecycle.stats().closed['connection-reset'] === 1)
    // Its onMessage runs still.
    assert.deepEqual(countsOf(traffic()), [2, 1, 1, 'firstsecond'.length, 0])
    busy.open()
    const close = await socket.closed
    assert.deepEqual(countsOf(traffic()), [2, 1, 0, 0, 0])
    assert.equal(traffic()?.bytesReceived, close.bytesReceived)
    assert.equal(traffic()?.bytesSent, close.bytesSent)
  },
)

test('what waits to be sent counts', { skip: DIFFERS.view }, async (t) => {
  const { app, peer, socket } = await connectOne(t, { route: { outbox: { maxBytes: 2 ** 30 } } })
  peer.freeze()
  socket.send('x'.repeat(32 * 1024 * 1024))
  assert.equal(factsOf(app).traffic().get('/')?.outboxBytes, socket.bufferedAmount)
  assert.ok(socket.bufferedAmount > 0)
  peer.destroy()
})

test('a session counts its messages once, however often its connections repeat them', async (t) => {
  const { app, url, sessions, noted } = await serveSessions(t)
  const traffic = (): Traffic | undefined => factsOf(app).traffic().get('/ws/:room')
  const first = await LinkPeer.confirmed(url)
  sessions[0]?.send('one')
  await first.expect('one')
  first.send('hi')
  await noted('message hi')
  assert.deepEqual(countsOf(traffic()), [1, 1, 0, 0, 'one'.length])
  assert.equal(traffic()?.interrupted, 0)

  first.cut()
  await noted('suspend')
  sessions[0]?.send('two')
  assert.deepEqual(countsOf(traffic()), [1, 2, 0, 0, 'onetwo'.length])
  assert.equal(traffic()?.interrupted, 1)

  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await second.expect('one')
  await second.expect('two')
  assert.deepEqual(countsOf(traffic()), [1, 2, 0, 0, 'onetwo'.length])
  second.ack(2)
  await second.roundTrip()
  assert.deepEqual(countsOf(traffic()), [1, 2, 0, 0, 0])
  const { bytesSent } = traffic() as Traffic
  assert.ok(bytesSent > 2 * 'one'.length, String(bytesSent))

  sessions[0]?.close(4000)
  await noted('close server-close')
  assert.deepEqual(countsOf(traffic()), [1, 2, 0, 0, 0])
  assert.ok(Number(traffic()?.bytesSent) >= bytesSent)
})

test('a session of a client that confirms nothing counts as a plain connection', async (t) => {
  const { app, url, sessions, noted } = await serveSessions(t)
  const client = await connect(url)
  await noted('handler')
  sessions[0]?.send('one')
  assert.equal(await client.next(), 'one')
  assert.deepEqual(countsOf(factsOf(app).traffic().get('/ws/:room')), [0, 1, 0, 0, 0])
  client.drop()
})

test('messages of a suspended session that wait count', async (t) => {
  const busy = gate()
  const { app, url, noted } = await serveSessions(t, { route: { onMessage: () => busy.opened } })
  const peer = await LinkPeer.confirmed(url)
  for (const text of ['first', 'second']) peer.send(text)
  await peer.roundTrip()
  const [session] = factsOf(app).registry.connections
  assert.equal(session?.silence?.pinged, Infinity)
  peer.cut()
  await noted('suspend')
  const traffic = factsOf(app).traffic().get('/ws/:room')
  assert.deepEqual([traffic?.inboxMessages, traffic?.inboxBytes], [1, 'firstsecond'.length])
  assert.equal(session.silence, undefined)
  busy.open()
})

test('a route has counts before its first client', async (t) => {
  const route = { websocket: true } as const
  const app = await serve(t, { routes: (instance) => void instance.get('/', route, () => {}) })
  assert.deepEqual(countsOf(factsOf(app).traffic().get('/')), [0, 0, 0, 0, 0])
  assert.equal(app.websocketLifecycle.stats().byRoute['/']?.opened, 0)
})

test('a call of onMessage is timed, until all that it awaits has come, also if it fails', async (t) => {
  const clock = new FakeClock()
  const running = gate()
  let calls = 0
  const timed: Array<readonly [string, number]> = []
  const { app, peer, socket } = await connectOne(t, {
    clock,
    route: {
      onMessage: async (_socket, _request, message) => {
        calls++
        await running.opened
        if (message.toString() === 'no') throw new Error('refused')
      },
    },
  })
  const stop = factsOf(app).callTimer.listen((...call) => timed.push(call))
  peer.send(frame(OPCODE.text, 'yes'))
  await until(() => calls === 1)
  await clock.advance(250)
  running.open()
  await until(() => timed.length === 1)
  assert.deepEqual(timed, [['/', 250]])
  peer.send(frame(OPCODE.text, 'no'))
  await until(() => timed.length === 2)
  assert.deepEqual(timed[1], ['/', 0])
  stop()
  peer.destroy()
  assert.equal((await socket.closed).cause, 'handler-error')
})

test('nobody is told of calls who does not listen any more', () => {
  const timer = new CallTimer(new FakeClock())
  const timed: number[] = []
  const stop = timer.listen((_route, duration) => timed.push(duration))
  assert.equal(timer.isDue(), true)
  timer.time('/', () => 'sync')
  assert.throws(
    () =>
      timer.time('/', () => {
        throw new Error('as asked')
      }),
    /as asked/,
  )
  assert.deepEqual(timed, [0, 0])
  stop()
  assert.equal(timer.isDue(), false)
})

test('of many calls in a second one in sixteen is timed, by chance, and in the next second all again', async () => {
  const clock = new FakeClock()
  const timer = new CallTimer(clock)
  let timed = 0
  timer.listen(() => timed++)
  const call = (times: number): number => {
    const before = timed
    for (let each = 0; each < times; each++) if (timer.isDue()) timer.time('/', () => undefined)
    return timed - before
  }
  assert.equal(call(1_000), 1_000)
  const beyond = call(160_000)
  assert.ok(beyond > 9_000 && beyond < 11_000, String(beyond))
  await clock.advance(1_000)
  // What was to be skipped still is.
  assert.ok(call(1_000) > 1_000 - 31)
})
