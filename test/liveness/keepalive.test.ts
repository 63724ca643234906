// Whom keepalive pings, and whom it finds dead.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import {
  keepalive,
  TICK,
  BOUND,
  connectTimed,
  listen,
  pings,
} from '../support/servers/timed-keepalive.js'

const { frame } = RawPeer

test('an idle peer is pinged within the interval and its jitter, and lives while it answers', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  const gaps: number[] = []
  let last = clock.now()
  for (let elapsed = 0, known = 0; elapsed < 20_000; elapsed += 10) {
    await clock.advance(10)
    if (pings(frames) === known) continue
    known = pings(frames)
    gaps.push(clock.now() - last)
    last = clock.now()
  }
  assert.equal(socket.readyState, socket.OPEN)
  assert.ok(gaps.length >= 17, `${gaps.length}`)
  for (const gap of gaps) assert.ok(gap <= 1100 + 2 * TICK, `${gap}`)
  for (const gap of gaps.slice(1)) assert.ok(gap >= 900, `${gap}`)
  peer.destroy()
})

test('a peer with traffic both ways is never pinged', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    peer.send(frame(OPCODE.text, 'in'))
    socket.send('out')
    await clock.advance(200)
  }
  assert.equal(pings(frames), 0)
  peer.destroy()
})

test('a peer that only talks is pinged: a proxy must see our bytes too', async (t) => {
  const { peer, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    peer.send(frame(OPCODE.text, 'in'))
    await clock.advance(200)
  }
  assert.ok(pings(frames) >= 8, `${pings(frames)}`)
  peer.destroy()
})

test('a peer that only listens is pinged', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, true)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 200) {
    socket.send('out')
    await clock.advance(200)
  }
  assert.ok(pings(frames) >= 8, `${pings(frames)}`)
  peer.destroy()
})

test('a peer that answers no ping but talks lives', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  for (let elapsed = 0; elapsed < 10_000; elapsed += 400) {
    peer.send(frame(OPCODE.text, 'in'))
    await clock.advance(400)
  }
  assert.equal(socket.readyState, socket.OPEN)
  peer.destroy()
})

test('a peer that only listens and answers nothing dies, though we keep talking', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  for (let elapsed = 0; elapsed < BOUND; elapsed += 100) {
    if (socket.readyState === socket.OPEN) socket.send('out')
    await clock.advance(100)
  }
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
  peer.destroy()
})

test('a dead peer is found within the bound, and none before its timeout', async (t) => {
  const clock = new FakeClock()
  const { app, port } = await serveOne(t, { clock, options: { keepalive } })
  const peers = await Promise.all(Array.from({ length: 40 }, () => RawPeer.open(port)))
  await delivered()
  const pingedAt = new Map<RawPeer, number>()
  for (const peer of peers) {
    void peer.nextOf(OPCODE.ping).then((ping) => {
      if (ping !== undefined) pingedAt.set(peer, clock.now())
    })
  }
  const started = clock.now()
  const endedAt = new Map<LifecycleSocket, number>()
  for (const socket of app.websocketLifecycle.connections) {
    void socket.closed.then(() => endedAt.set(socket, clock.now()))
  }
  const firstPing = (): number => Math.min(...pingedAt.values())
  while (endedAt.size < peers.length && clock.now() - started < 2 * BOUND) {
    await clock.advance(10)
    if (endedAt.size > 0) assert.ok(clock.now() - firstPing() >= keepalive.timeout)
  }
  assert.equal(endedAt.size, 40)
  for (const at of endedAt.values()) {
    assert.ok(at - started <= BOUND, `${at - started}`)
    assert.ok(at - started >= keepalive.interval / 2 + keepalive.timeout, `${at - started}`)
  }
  assert.equal(app.websocketLifecycle.stats().closed['heartbeat-timeout'], 40)
})

test('a peer that is found dead is not sent a close frame, and its TCP connection is ended', async (t) => {
  const { peer, socket, clock } = await connectTimed(t)
  const frames = listen(peer, false)
  await clock.advance(BOUND)
  const close = await socket.closed
  assert.equal(close.sent, undefined)
  assert.ok(frames.every(({ opcode }) => opcode === OPCODE.ping))
})

test('a heartbeat-timeout calls onUnexpectedClose, unless 1006 is expected', async (t) => {
  for (const expectedCloseCodes of [[1000], [1006]]) {
    const clock = new FakeClock()
    const { socket, events } = await connectOne(t, {
      clock,
      options: { keepalive, expectedCloseCodes },
    })
    await clock.advance(BOUND)
    assert.equal((await socket.closed).expected, expectedCloseCodes.includes(1006))
    assert.equal(events.includes('unexpected'), !expectedCloseCodes.includes(1006))
  }
})

test('keepalive: false never pings and never judges', async (t) => {
  const { peer, socket, clock } = await connectTimed(t, { keepalive: false })
  const frames = listen(peer, false)
  await clock.advance(200_000)
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(frames.length, 0)
  assert.equal(socket.latency, undefined)
  peer.destroy()
})

test('timeout: false pings, and never judges', async (t) => {
  const { peer, socket, clock } = await connectTimed(t, {
    keepalive: { interval: 1000, timeout: false },
  })
  const frames = listen(peer, false)
  await clock.advance(30_000)
  assert.equal(socket.readyState, socket.OPEN)
  assert.ok(pings(frames) >= 25, `${pings(frames)}`)
  peer.destroy()
})
