// Which breaches of the protocol end a connection, with which code.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { UNTOLD, verdict, errorCode } from '../support/servers/verdict.js'

const { bytes, closeFrame, deflated, frame } = RawPeer
const compressing = { options: { websocket: { perMessageDeflate: true } } }

const PROTOCOL_ERRORS = [
  {
    what: 'text that is no UTF-8',
    sent: 1007,
    error: 'WS_ERR_INVALID_UTF8',
    wire: frame(OPCODE.text, Buffer.from([0xc3, 0x28])),
  },
  {
    what: 'a reason that is no UTF-8',
    sent: 1007,
    error: 'WS_ERR_INVALID_UTF8',
    wire: frame(OPCODE.close, Buffer.from([0x03, 0xe8, 0xff])),
  },
  {
    what: 'a close code that may not be sent',
    sent: 1002,
    error: 'WS_ERR_INVALID_CLOSE_CODE',
    wire: closeFrame(1006),
  },
  {
    what: 'a close frame of one byte',
    sent: 1002,
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    wire: frame(OPCODE.close, 'x'),
  },
  {
    what: 'RSV1 without compression',
    sent: 1002,
    error: 'WS_ERR_UNEXPECTED_RSV_1',
    wire: bytes(0xc1, 'x'),
  },
  { what: 'RSV2', sent: 1002, error: 'WS_ERR_UNEXPECTED_RSV_2_3', wire: bytes(0xa1, 'x') },
  { what: 'RSV3', sent: 1002, error: 'WS_ERR_UNEXPECTED_RSV_2_3', wire: bytes(0x91, 'x') },
  { what: 'a reserved opcode', sent: 1002, error: 'WS_ERR_INVALID_OPCODE', wire: bytes(0x83, 'x') },
  {
    what: 'a continuation of nothing',
    sent: 1002,
    error: 'WS_ERR_INVALID_OPCODE',
    wire: frame(OPCODE.continuation, 'x'),
  },
  {
    what: 'a ping in fragments',
    sent: 1002,
    error: 'WS_ERR_EXPECTED_FIN',
    wire: frame(OPCODE.ping, 'x', false),
  },
  {
    what: 'a ping of 126 bytes',
    sent: 1002,
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    wire: frame(OPCODE.ping, 'x'.repeat(126)),
  },
  {
    what: 'a frame without a mask',
    sent: 1002,
    error: 'WS_ERR_EXPECTED_MASK',
    wire: bytes(0x81, 'x', false),
  },
] as const

for (const { what, sent, error, wire } of PROTOCOL_ERRORS) {
  test(`${what} is a protocol-error, answered with ${sent}`, async (t) => {
    const { peer, socket, events } = await connectOne(t)
    peer.send(wire)
    const answer = await peer.nextOf(OPCODE.close)
    assert.equal(answer?.payload.readUInt16BE(), sent)
    const close = await socket.closed
    assert.deepEqual(verdict(close), {
      cause: 'protocol-error',
      initiator: 'client',
      ...UNTOLD,
      retryable: false,
    })
    assert.deepEqual(close.sent, { code: sent, reason: 'protocol-error' })
    assert.equal(close.received, undefined)
    assert.equal(errorCode(close), error)
    assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  })
}

test('compressed data that does not unpack is a protocol-error', async (t) => {
  const { peer, socket } = await connectOne(t, compressing, DEFLATE)
  peer.send(bytes(0xc1, Buffer.from([0xff, 0xff, 0xff, 0xff])))
  const close = await socket.closed
  assert.equal(close.cause, 'protocol-error')
  assert.equal(close.sent?.code, 1007)
})

test('more fragments than ws allows are a protocol-error, answered with 1008', async (t) => {
  const { peer, socket } = await connectOne(t, { options: { websocket: { maxFragments: 2 } } })
  peer.send(
    frame(OPCODE.text, 'a', false),
    ...Array.from({ length: 4 }, () => frame(OPCODE.continuation, 'b', false)),
  )
  const close = await socket.closed
  assert.equal(close.cause, 'protocol-error')
  assert.equal(close.sent?.code, 1008)
})

test('a message above the default maxPayload of 1 MiB is a message-too-big', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.send(frame(OPCODE.binary, Buffer.alloc(1024 * 1024 + 1)))
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'message-too-big',
    initiator: 'client',
    ...UNTOLD,
    retryable: false,
  })
  assert.deepEqual(close.sent, { code: 1009, reason: 'message-too-big' })
  assert.equal(errorCode(close), 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
})

test('a message of 1 MiB is none', async (t) => {
  const { peer, socket } = await connectOne(t)
  const message = once(socket, 'message')
  peer.send(frame(OPCODE.binary, Buffer.alloc(1024 * 1024)))
  assert.equal(((await message) as [Buffer])[0].length, 1024 * 1024)
})

test('a small message that unpacks to more than maxPayload is a message-too-big', async (t) => {
  const { peer, socket } = await connectOne(t, compressing, DEFLATE)
  const bomb = deflated(Buffer.alloc(64 * 1024 * 1024))
  assert.ok(bomb.length < 100_000)
  peer.send(bomb)
  const close = await socket.closed
  assert.equal(close.cause, 'message-too-big')
  assert.equal(close.sent?.code, 1009)
})

test('a frame whose length no number holds is a message-too-big', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.send(Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]))
  const close = await socket.closed
  assert.equal(close.cause, 'message-too-big')
  assert.equal(errorCode(close), 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH')
})
