import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { advanceStill } from '../support/time/still.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type Connected, connectOne } from '../support/servers/server.js'
import { SlowReader } from '../support/peers/slow-reader.js'

const { closeFrame, frame } = RawPeer

/** A connection without heartbeats whose `closeTimeout` is 1,000 ms. */
async function connectImpatient(t: TestContext): Promise<Connected & { clock: FakeClock }> {
  const clock = new FakeClock()
  const options = { keepalive: false } as const
  return { clock, ...(await connectOne(t, { clock, options, route: { closeTimeout: 1000 } })) }
}

test('a peer that never answers our close frame is destroyed after closeTimeout, not before', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  let isOver = false
  void socket.closed.then(() => (isOver = true))
  socket.close(4000)
  await clock.advance(990)
  assert.equal(isOver, false)
  assert.equal(socket.readyState, socket.CLOSING)
  await clock.advance(110)
  assert.equal(isOver, true)
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.clean, false)
  assert.deepEqual(close.sent, { code: 4000, reason: '' })
  assert.ok(close.duration >= 1000 && close.duration <= 1100)
  await peer.ended()
})

test('a peer that goes on talking does not get longer', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  socket.close(4000)
  for (let elapsed = 0; elapsed < 1100; elapsed += 100) {
    peer.send(frame(OPCODE.text, 'still here'))
    await clock.advance(100)
  }
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.ok(close.duration <= 1100)
})

test('a peer that closed and does not end its TCP connection is destroyed after closeTimeout', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.socket.allowHalfOpen = true
  peer.send(closeFrame(1000))
  await peer.nextOf(OPCODE.close)
  await clock.advance(1100)
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(close.clean, true)
  peer.destroy()
})

test('a peer with a FIN that takes none of what we sent is destroyed after closeTimeout', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.freeze()
  socket.send(Buffer.alloc(32 * 1024 * 1024))
  await delivered()
  peer.finish()
  await advanceStill(clock, socket, 1_300)
  assert.equal(socket.readyState, socket.CLOSED)
  const close = await socket.closed
  assert.equal(close.cause, 'connection-lost')
})

test('a protocol error whose peer does not go is over after closeTimeout', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.socket.allowHalfOpen = true
  peer.send(RawPeer.bytes(0x83, 'x'))
  await peer.nextOf(OPCODE.close)
  await clock.advance(1100)
  assert.equal((await socket.closed).cause, 'protocol-error')
  peer.destroy()
})

test('the deadline moves with a peer that still reads, and it gets its close frame', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.freeze()
  const sent = 24 * 1024 * 1024
  socket.send(Buffer.alloc(sent))
  await delivered()
  socket.close(4000, 'after all that')
  // What the kernel has taken shows no progress any more: until then it is read slowly.
  const reader = new SlowReader(peer)
  let elapsed = 0
  for (; socket.bufferedAmount > 0 && elapsed < 9_000; elapsed += 125) {
    await reader.read(sent / 50)
    await clock.advance(125)
    assert.notEqual(socket.readyState, socket.CLOSED, `over after ${elapsed} ms`)
  }
  assert.ok(elapsed > 2_000, `${elapsed}`)
  await reader.read(sent)
  peer.send(closeFrame(4000, 'after all that'))
  const close = await socket.closed
  assert.equal(close.clean, true)
  assert.equal(close.code, 4000)
})

test('ten closeTimeouts are the end of it, however steadily the peer reads', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.freeze()
  socket.send(Buffer.alloc(96 * 1024 * 1024))
  await delivered()
  socket.close(4000)
  const reader = new SlowReader(peer)
  const ends: number[] = []
  const startedAt = clock.now()
  void socket.closed.then(() => ends.push(clock.now()))
  while (ends.length === 0 && clock.now() - startedAt < 12_000) {
    await reader.read(512 * 1024)
    await clock.advance(200)
  }
  const [endedAt] = ends
  assert.ok(endedAt !== undefined)
  assert.ok(endedAt - startedAt >= 9_800 && endedAt - startedAt <= 10_300, `${endedAt - startedAt}`)
  peer.destroy()
})

test('once it stops reading, it has one closeTimeout more', async (t) => {
  const { clock, peer, socket } = await connectImpatient(t)
  peer.freeze()
  socket.send(Buffer.alloc(96 * 1024 * 1024))
  await delivered()
  socket.close(4000)
  const reader = new SlowReader(peer)
  for (let i = 0; i < 15; i++) {
    await reader.read(1024 * 1024)
    await clock.advance(200)
  }
  assert.equal(socket.readyState, socket.CLOSING)
  await advanceStill(clock, socket, 1_300)
  assert.equal(socket.readyState, socket.CLOSED)
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  peer.destroy()
})
