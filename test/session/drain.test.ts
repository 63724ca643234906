import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serve } from '../support/servers/server.js'
import { portOf } from '../support/servers/app.js'
import { gate, never } from '../support/time/gate.js'
import { serveSessions } from '../support/servers/with-sessions.js'

test('a drain tells what it has received and when to come back, and then closes', async (t) => {
  const { app, url, events, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.send('one')
  await noted('message one')
  const report = app.websocketLifecycle.drain()
  for (const frame of ['a1', 'b5000', 'close 1012 service restart']) await peer.expect(frame)
  assert.equal((await report).closed, 1)
  assert.deepEqual(events.slice(2), ['abort', 'close shutdown', 'release'])
  assert.equal(closes[0]?.unacknowledged, 0)
})

test('what comes after the close frame is not confirmed, so the client knows that it was not handled', async (t) => {
  const { app, url, events } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  const report = app.websocketLifecycle.drain()
  await peer.expect('b5000')
  peer.send('too late')
  await peer.expect('close 1012 service restart')
  await report
  assert.ok(!events.includes('message too late'))
  assert.ok(peer.frames.every((frame) => !frame.startsWith('a')))
})

test('what is confirmed, and waits behind a slow handler when the time is up, is dropped', async (t) => {
  const { app, clock, url, noted } = await serveSessions(t, { route: { onMessage: () => never } })
  const peer = await LinkPeer.confirmed(url)
  for (const message of ['slow', 'waits']) peer.send(message)
  await peer.roundTrip()
  const report = app.websocketLifecycle.drain({ timeout: 2_000 })
  await clock.advance(2_000)
  await peer.expect('a2')
  await clock.advance(2_000)
  await report
  await noted('release')
  assert.equal(app.websocketLifecycle.stats().dropped, 1)
})

test('with reconnectWindow 0 clients come back by their own rules', async (t) => {
  const { app, url } = await serveSessions(t, {
    options: { keepalive: false, drain: { reconnectWindow: 0 } },
  })
  const peer = await LinkPeer.confirmed(url)
  void app.websocketLifecycle.drain()
  await peer.expect('close 1012 service restart')
})

test('a drain ends sessions that are away, and suspends none', async (t) => {
  const goodbye = gate()
  const { app, url, events, closes, noted } = await serveSessions(t, {
    route: {
      onShutdown() {
        events.push('shutdown')
        return goodbye.opened
      },
    },
  })
  const [away, lost] = [await LinkPeer.confirmed(url), await LinkPeer.confirmed(url)]
  away.cut()
  await noted('suspend')
  const report = app.websocketLifecycle.drain()
  lost.cut()
  await noted('close connection-reset')
  goodbye.open()
  assert.equal((await report).closed, 2)
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['connection-reset', 'shutdown'],
  )
  assert.deepEqual(events.filter((event) => event === 'shutdown').length, 2)
  const { sessions } = app.websocketLifecycle.stats()
  assert.deepEqual([sessions.connected, sessions.suspended], [0, 0])
})

test('a session that does not end in time is cut off at the end of the drain', async (t) => {
  const { app, clock, url, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  const report = app.websocketLifecycle.drain({ timeout: 2_000 })
  await clock.advance(3_000)
  assert.equal((await report).terminated, 1)
  await noted('release')
})

test('on a route without sessions a client of ours is told too, and its texts are marked', async (t) => {
  const got: string[] = []
  const app = await serve(t, {
    options: { keepalive: false },
    routes: (instance) => {
      instance.get('/plain', { websocket: true }, (socket) => {
        assert.ok(socket instanceof WebSocket)
        socket.send('\0down')
        socket.send('fine')
        socket.on('message', (data: Buffer) => got.push(data.toString()))
      })
    },
  })
  const peer = new LinkPeer(`ws://127.0.0.1:${portOf(app)}/plain`, { protocols: ['chat'] })
  for (const frame of ['welcome', '\0down', 'fine']) await peer.expect(frame)
  assert.equal(peer.ws.protocol, 'wsl.1.chat')
  peer.send('\0\0up')
  peer.send('p')
  peer.ack(2)
  peer.send('\0p')
  await peer.expect('a2')
  assert.deepEqual(got, ['\0up', 'p'])
  const report = app.websocketLifecycle.drain()
  for (const frame of ['b5000', 'close 1012 service restart']) await peer.expect(frame)
  await report
})
