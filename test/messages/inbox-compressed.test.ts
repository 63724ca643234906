// The bounds of the inbox on what one read of compressed messages unpacks to.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { roundTrip, texts } from '../support/peers/exchange.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { STUCK } from '../support/models/stuck.js'
import { stalled } from '../support/servers/stalled.js'

const { closeFrame, deflated, frame } = RawPeer

const KIB = 1024
const compressing = { websocket: { perMessageDeflate: true, maxPayload: 100 * KIB } }

const LIMITS = [
  { maxBytes: 100 * KIB, limit: 300 * KIB, why: 'twice maxBytes and maxPayload' },
  { maxBytes: 36 * KIB, limit: 200 * KIB, why: 'maxBytes, a read of 64 KiB and maxPayload' },
]

for (const { maxBytes, limit, why } of LIMITS) {
  const most = limit / (100 * KIB)

  describe(`one read may unpack to ${limit / KIB} KiB, ${why},`, () => {
    for (const [who, setup] of Object.entries(STUCK)) {
      test(`against ${who}, and nothing is lost`, async (t) => {
        const stuck = gate()
        const sizes: number[] = []
        const arranged = setup(stuck, (size) => sizes.push(size))
        const { app, peer, socket } = await connectOne(
          t,
          {
            ...arranged,
            clock: new FakeClock(),
            options: compressing,
            route: { ...arranged.route, inbox: { maxBytes } },
          },
          DEFLATE,
        )
        const bomb = deflated('x'.repeat(100 * KIB))
        peer.send(...Array.from({ length: most }, () => bomb), ...texts(''))
        await until(() => socket.isPaused)
        await turns(50)
        assert.equal(socket.readyState, socket.OPEN)
        stuck.open()
        await roundTrip(peer)
        await until(() => sizes.length > most)
        assert.deepEqual(sizes, [...Array.from({ length: most }, () => 100 * KIB), 0])
        assert.equal(app.websocketLifecycle.stats().dropped, 0)
      })

      test(`against ${who}, and more is a message-too-big`, async (t) => {
        const stuck = gate()
        const arranged = setup(stuck, () => {})
        const { peer, socket, events } = await connectOne(
          t,
          {
            ...arranged,
            clock: new FakeClock(),
            options: compressing,
            route: { ...arranged.route, inbox: { maxBytes } },
          },
          DEFLATE,
        )
        const bomb = deflated('x'.repeat(100 * KIB))
        peer.send(...Array.from({ length: most }, () => bomb), deflated('x'))
        const close = await within(peer.nextOf(OPCODE.close), 'a close frame')
        assert.equal(close?.payload.toString('latin1'), '\x03\xf1message-too-big')
        stuck.open()
        peer.send(closeFrame(1009))
        const { cause, initiator, expected, sent, clean } = await socket.closed
        assert.deepEqual(
          { cause, initiator, expected, sent, clean },
          {
            cause: 'message-too-big',
            initiator: 'client',
            expected: false,
            sent: { code: 1009, reason: 'message-too-big' },
            clean: true,
          },
        )
        assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
      })
    }
  })
}

test('`concurrency` does not lift the bound on what compression makes', async (t) => {
  const stuck = gate()
  const { peer, socket } = await connectOne(
    t,
    {
      clock: new FakeClock(),
      options: compressing,
      route: {
        inbox: { maxBytes: 100 * KIB, maxMessages: 1_000, concurrency: 1_000 },
        onMessage: () => stuck.opened,
      },
    },
    DEFLATE,
  )
  const bomb = deflated('x'.repeat(100 * KIB))
  peer.send(...Array.from({ length: 200 }, () => bomb), frame(OPCODE.ping))
  const answer = await within(peer.next(), 'an answer')
  assert.equal(answer?.payload.toString('latin1'), '\x03\xf1message-too-big')
  stuck.open()
  peer.send(closeFrame(1009))
  assert.equal((await socket.closed).cause, 'message-too-big')
})

test('what is unpacked after the end has begun is bounded too: the rest is dropped and counted', async (t) => {
  const stuck = gate()
  let held = 0
  const { app, peer, socket } = await connectOne(
    t,
    {
      clock: new FakeClock(),
      options: compressing,
      route: {
        inbox: { maxBytes: 100 * KIB },
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          held += message.length
        },
      },
    },
    DEFLATE,
  )
  const bomb = deflated('x'.repeat(100 * KIB))
  // The FIN is seen while the first of these is being inflated.
  peer.socket.end(Buffer.concat(Array.from({ length: 100 }, () => bomb)))
  await until(() => socket.readyState === socket.CLOSED)
  stuck.open()
  const close = await socket.closed
  assert.equal(close.messagesReceived, 100)
  assert.ok(held <= 400 * KIB, `${held}`)
  assert.equal(app.websocketLifecycle.stats().dropped, 100 - held / (100 * KIB))
})

test('a compressed flood within the bounds is held back, and all of it handled', async (t) => {
  const stuck = gate()
  const got: string[] = []
  const { app, peer, socket } = await connectOne(
    t,
    {
      clock: new FakeClock(),
      options: compressing,
      route: {
        onMessage: async (_socket, _request, message) => {
          await stuck.opened
          got.push(String(message))
        },
      },
    },
    DEFLATE,
  )
  // Half of it is left when it is compressed.
  const sent = Array.from({ length: 1_500 }, () => randomBytes(2 * KIB).toString('hex'))
  peer.send(...sent.map((text) => deflated(text)))
  await until(() => socket.isPaused)
  await stalled(rawOf(socket))
  assert.equal(socket.readyState, socket.OPEN)
  stuck.open()
  await roundTrip(peer)
  await until(() => got.length === sent.length)
  assert.deepEqual(got, sent)
  assert.equal(app.websocketLifecycle.stats().dropped, 0)
})
