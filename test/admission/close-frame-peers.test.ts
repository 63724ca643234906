// Peers that are refused by a close frame, and do not take it well: what they can hold, and for how long.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { allRead } from '../support/peers/exchange.js'
import { expectNoEndOf } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { assertNoneLeft, FOREIGN, type Refusing, serveFrames } from '../support/servers/refusing.js'
import { assertTurnedAway, closeBytes, Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

const { frame, bytes, closeFrame, deflated } = RawPeer

const KIB = 1024

interface Behaviour {
  readonly packet: () => Buffer
  /** Whether the server ends its side at once, so that a peer which does too is gone. */
  readonly isEnd?: boolean
}

function times(count: number, packet: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => packet))
}

/** What a refused peer may send in place of a close frame. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  nothing: { packet: () => Buffer.alloc(0) },
  'half a frame': { packet: () => frame(OPCODE.text, 'x'.repeat(1_000)).subarray(0, 500) },
  'a thousand messages': { packet: () => times(1_000, frame(OPCODE.text, 'hello')) },
  'four megabytes': { packet: () => times(16, frame(OPCODE.binary, Buffer.alloc(256 * KIB))) },
  '20,000 pings': { packet: () => times(20_000, frame(OPCODE.ping, 'are you there')) },
  '20,000 pongs': { packet: () => times(20_000, frame(OPCODE.pong)) },
  'a message that is packed': { packet: () => deflated('x'.repeat(100 * KIB)) },
  'a message that unpacks to much': {
    packet: () => deflated(Buffer.alloc(64 * KIB * KIB)),
    isEnd: true,
  },
  'a message that is too big': {
    packet: () => frame(OPCODE.binary, Buffer.alloc(2 * KIB * KIB)),
    isEnd: true,
  },
  'too many fragments': {
    packet: () => times(20_000, frame(OPCODE.continuation, 'x', false)),
    isEnd: true,
  },
  'a message that is no UTF-8': {
    packet: () => frame(OPCODE.text, Buffer.from([0xff, 0xfe])),
    isEnd: true,
  },
  'an unmasked frame': { packet: () => bytes(0x81, 'hello', false), isEnd: true },
  'a frame with reserved bits': { packet: () => bytes(0xb1, 'hello'), isEnd: true },
  'a frame of no known kind': { packet: () => bytes(0x83, 'hello'), isEnd: true },
  'another handshake': { packet: () => Buffer.from(RawPeer.handshake(80, '/ws')), isEnd: true },
  'a close frame of one byte': { packet: () => bytes(0x88, 'x'), isEnd: true },
  'a close frame with a wrong code': {
    packet: () => closeFrame(1006),
    isEnd: true,
  },
  'a close frame': { packet: () => closeFrame(3003), isEnd: true },
  'a close frame without a code': { packet: () => closeFrame(), isEnd: true },
  'two close frames': { packet: () => times(2, closeFrame(3003)), isEnd: true },
}

const headers = { ...FOREIGN, ...DEFLATE }
const setup = { options: { websocket: { perMessageDeflate: true } } }

/** Resolves when all that the one peer has sent was read, or its socket is gone; and nothing comes of it. */
async function heard({ sockets }: Refusing, peer: Socket): Promise<void> {
  const [socket] = sockets
  await allRead(peer, socket)
  await turns()
}

async function assertGoneInTime(
  served: Refusing,
  peer: RawPeer,
  { isEnd = false }: Behaviour,
): Promise<void> {
  if (isEnd) await within(peer.ended(), 'the end of the socket')
  else {
    await served.clock.advance(980)
    assert.equal(peer.hasEnded, false)
    await served.clock.advance(150)
    await within(peer.ended(), 'the end of the socket')
  }
  await assertNoneLeft(served, { origin: 1 })
}

describe('a peer that is refused by a close frame', () => {
  for (const [what, behaviour] of Object.entries(BEHAVIOURS)) {
    test(`and then sends ${what}: gets nothing more, and is gone in time`, async (t) => {
      const served = await serveFrames(t, setup)
      const stranger = await Stranger.dial(served.port, '/ws', headers)
      await assertTurnedAway(stranger, 3003)
      const all = stranger.bytes
      stranger.peer.send(behaviour.packet())
      await heard(served, stranger.peer.socket)
      await assertGoneInTime(served, stranger.peer, behaviour)
      assert.equal(stranger.bytes, all)
    })

    test(`and sent ${what} at once: gets no more, and is gone in time`, async (t) => {
      const served = await serveFrames(t, setup)
      const { port } = served
      const stranger = await Stranger.dialWith(
        port,
        RawPeer.handshake(port, '/ws', headers),
        behaviour.packet(),
      )
      await assertTurnedAway(stranger, 3003)
      const all = stranger.bytes
      await heard(served, stranger.peer.socket)
      await assertGoneInTime(served, stranger.peer, behaviour)
      assert.equal(stranger.bytes, all)
    })

    test(`and sends ${what}, reads nothing, stays: is gone at closeTimeout`, async (t) => {
      const served = await serveFrames(t, setup)
      const socket = await dialHalfOpen(served.port, behaviour.packet())
      await until(() => served.app.websocketLifecycle.stats().refused.origin === 1)
      await heard(served, socket)
      assert.equal(served.sockets.size, 1)
      await served.clock.advance(1_150)
      await assertNoneLeft(served, { origin: 1 })
      socket.destroy()
    })
  }

  for (const [how, leave] of [
    ['resets', (peer: RawPeer) => peer.reset()],
    ['ends its side', (peer: RawPeer) => peer.finish()],
    [
      'sends a message, and resets',
      (peer: RawPeer) => {
        peer.send(frame(OPCODE.text, 'hello'))
        peer.reset()
      },
    ],
    [
      'sends half a frame, and ends its side',
      (peer: RawPeer) => {
        peer.send(frame(OPCODE.text, 'hello').subarray(0, 4))
        peer.finish()
      },
    ],
  ] as const) {
    test(`and ${how}: is gone at once`, async (t) => {
      const served = await serveFrames(t, setup)
      const stranger = await Stranger.dial(served.port, '/ws', headers)
      await assertTurnedAway(stranger, 3003)
      leave(stranger.peer)
      await assertNoneLeft(served, { origin: 1 })
    })
  }

  test('and reset before it could read the refusal: is gone at once', async (t) => {
    const served = await serveFrames(t, {
      route: { allowedOrigins: async () => turns(3).then(() => false) },
    })
    const peer = await RawPeer.dial(served.port, '/ws', FOREIGN)
    await until(() => served.sockets.size === 1)
    peer.reset()
    await until(() => served.sockets.size === 0)
    // Whether it was refused before it had gone, or after, is a race.
    const { origin } = served.app.websocketLifecycle.stats().refused
    await assertNoneLeft(served, { origin })
  })

  test('and answers at the last moment: has its closing handshake', async (t) => {
    const served = await serveFrames(t)
    const stranger = await Stranger.dial(served.port, '/ws', FOREIGN)
    await assertTurnedAway(stranger, 3003)
    await served.clock.advance(980)
    stranger.peer.send(closeFrame(3003))
    await stranger.all()
    assert.equal(stranger.peer.socket.errored, null)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('and floods for as long as it can: is gone at closeTimeout', async (t) => {
    const served = await serveFrames(t)
    const stranger = await Stranger.dial(served.port, '/ws', FOREIGN)
    await assertTurnedAway(stranger, 3003)
    const all = stranger.bytes
    const { socket } = stranger.peer
    const packet = times(16, frame(OPCODE.text, 'x'.repeat(4 * KIB)))
    const pump = (): void => {
      while (socket.writable && socket.write(packet));
    }
    expectNoEndOf(socket)
    socket.on('drain', pump)
    pump()
    await served.clock.advance(980)
    assert.equal(stranger.peer.hasEnded, false)
    await served.clock.advance(150)
    await within(stranger.peer.ended(), 'the end of the socket')
    assert.equal(stranger.bytes, all)
    await assertNoneLeft(served, { origin: 1 })
  })

  test('can be one of hundreds that hang: they are all gone at closeTimeout', async (t) => {
    const served = await serveFrames(t)
    const count = 300
    await Promise.all(
      Array.from({ length: count }, async () => dialHalfOpen(served.port, Buffer.alloc(0))),
    )
    await until(() => served.app.websocketLifecycle.stats().refused.origin === count)
    assert.equal(served.sockets.size, count)
    await served.clock.advance(1_150)
    await assertNoneLeft(served, { origin: count })
  })
})

describe('a drain', () => {
  test('waits for the refused no longer than their closeTimeout, and does not report them', async (t) => {
    const served = await serveFrames(t)
    await dialHalfOpen(served.port, times(1_000, frame(OPCODE.ping)))
    await until(() => served.app.websocketLifecycle.stats().refused.origin === 1)
    const draining = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_150)
    const { closed, terminated, duration } = await within(draining, 'the drain')
    assert.deepEqual({ closed, terminated }, { closed: 0, terminated: 0 })
    assert.ok(duration <= 1_100, String(duration))
    await assertNoneLeft(served, { origin: 1 })
  })

  test('gives the refused a clean end, if they answer', async (t) => {
    const served = await serveFrames(t)
    const stranger = await Stranger.dial(served.port, '/ws', FOREIGN)
    await assertTurnedAway(stranger, 3003)
    const closing = served.app.close()
    stranger.peer.send(closeFrame(3003))
    await within(closing, 'app.close()')
    const all = await stranger.all()
    assert.ok(all.endsWith(closeBytes(3003, 'origin')))
    await assertNoneLeft(served, { origin: 1 })
  })

  test('cuts the refused off when its time is up', async (t) => {
    const served = await serveFrames(t, {
      options: { drain: { timeout: 500 } },
      route: { closeTimeout: 60_000 },
    })
    await dialHalfOpen(served.port, Buffer.alloc(0))
    await until(() => served.app.websocketLifecycle.stats().refused.origin === 1)
    const closing = served.app.close()
    await until(() => served.app.websocketLifecycle.draining)
    await served.clock.advance(480)
    assert.equal(served.sockets.size, 1)
    await served.clock.advance(20)
    await within(closing, 'app.close()')
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ origin: 1 }))
    await assertNoneLeft(served, { origin: 1 })
  })
})

/** A foreign peer that reads nothing, and whose side stays open whatever ours does. */
async function dialHalfOpen(port: number, packet: Buffer): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  socket.write(RawPeer.handshake(port, '/ws', headers))
  socket.write(packet)
  return socket
}
