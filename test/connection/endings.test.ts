// How a connection may end, and what it is recorded as.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { UNTOLD, verdict, errorCode, uint16 } from '../support/servers/verdict.js'

const { closeFrame, deflated, frame } = RawPeer

interface ClientsFrame {
  readonly says: string
  readonly args: [code?: number, reason?: string]
  readonly code: number
  readonly reason: string
  readonly expected: boolean
  readonly retryable: boolean
}

const CLIENTS_FRAMES: readonly ClientsFrame[] = [
  { says: 'code 1000', args: [1000], code: 1000, reason: '', expected: true, retryable: false },
  {
    says: 'code 1001',
    args: [1001, 'tab'],
    code: 1001,
    reason: 'tab',
    expected: true,
    retryable: true,
  },
  { says: 'nothing', args: [], code: 1005, reason: '', expected: true, retryable: true },
  { says: 'code 1011', args: [1011], code: 1011, reason: '', expected: false, retryable: true },
  {
    says: 'code 4001',
    args: [4001, 'żegnaj'],
    code: 4001,
    reason: 'żegnaj',
    expected: false,
    retryable: false,
  },
]

for (const { says, args, code, reason, expected, retryable } of CLIENTS_FRAMES) {
  test(`a peer's close frame that says ${says} is a client-close, and is echoed`, async (t) => {
    const { peer, socket, events, closes } = await connectOne(t)
    peer.send(closeFrame(...args))
    const echo = await peer.nextOf(OPCODE.close)
    assert.deepEqual(
      echo?.payload,
      Buffer.concat([...(code === 1005 ? [] : [uint16(code)]), Buffer.from(reason)]),
    )
    const close = await socket.closed
    assert.deepEqual(verdict(close), {
      cause: 'client-close',
      initiator: 'client',
      code,
      reason,
      clean: true,
      expected,
      retryable,
    })
    assert.deepEqual(close.received, { code, reason })
    assert.deepEqual(close.sent, { code, reason })
    assert.equal(close.error, undefined)
    assert.deepEqual(events, ['abort', ...(expected ? [] : ['unexpected']), 'close', 'release'])
    assert.deepEqual(closes, [close])
  })
}

test('a FIN without a close frame is a connection-lost', async (t) => {
  const { peer, socket, events } = await connectOne(t)
  peer.finish()
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'connection-lost',
    initiator: 'network',
    ...UNTOLD,
  })
  assert.equal(close.sent, undefined)
  assert.equal(close.received, undefined)
  assert.equal(close.error, undefined)
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
})

test('a RST is a connection-reset, and its errno is kept', async (t) => {
  const { peer, socket, events, closes } = await connectOne(t)
  peer.reset()
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'connection-reset',
    initiator: 'network',
    ...UNTOLD,
  })
  assert.equal(errorCode(close), 'ECONNRESET')
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  assert.deepEqual(closes, [close])
})

test('a RST in the middle of a frame is a connection-reset', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.send(frame(OPCODE.text, 'half').subarray(0, 5))
  // In one poll with data libuv takes a reset for an end.
  await delivered()
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
})

test('a FIN in the middle of a frame is a connection-lost', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.socket.end(frame(OPCODE.text, 'half').subarray(0, 5))
  assert.equal((await socket.closed).cause, 'connection-lost')
})

test('a close frame followed by a RST stays a client-close', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.send(closeFrame(4002, 'bye'))
  peer.reset()
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(close.code, 4002)
  assert.deepEqual(close.received, { code: 4002, reason: 'bye' })
})

test('a close frame and a FIN in one packet are a client-close', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.socket.end(closeFrame(1001))
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(close.code, 1001)
  assert.equal(close.expected, true)
})

const compressing = { options: { websocket: { perMessageDeflate: true } } }

test('a close frame parsed after its FIN, behind a compressed message, is a client-close', async (t) => {
  const { peer, socket, events } = await connectOne(t, compressing, DEFLATE)
  const messages: string[] = []
  socket.on('message', (data: Buffer) => messages.push(data.toString()))
  peer.socket.end(Buffer.concat([deflated('a'.repeat(100_000)), closeFrame(4003, 'after')]))
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.deepEqual(close.received, { code: 4003, reason: 'after' })
  assert.equal(close.sent, undefined)
  assert.equal(close.clean, false)
  assert.equal(close.messagesReceived, 1)
  assert.deepEqual(messages, ['a'.repeat(100_000)])
  assert.equal(Reflect.get(socket.scope.signal.reason as object, 'closeCause'), 'client-close')
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
})

test('so it is where our own backlog keeps the transport alive after that', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { ...compressing, clock }, DEFLATE)
  peer.freeze()
  socket.send(Buffer.alloc(32 * 1024 * 1024), { compress: false })
  const parsed = once(socket, 'message')
  peer.socket.end(Buffer.concat([deflated('b'.repeat(100_000)), closeFrame(4003, 'after')]))
  await parsed
  await clock.advance(1_000)
  assert.equal(socket.scope.signal.aborted, true)
  peer.destroy()
  const close = await socket.closed
  assert.equal(close.cause, 'client-close')
  assert.equal(Reflect.get(socket.scope.signal.reason as object, 'closeCause'), 'client-close')
})

test('a FIN behind a compressed message, without a close frame, is a connection-lost', async (t) => {
  const { peer, socket } = await connectOne(t, compressing, DEFLATE)
  peer.socket.end(deflated('a'.repeat(100_000)))
  const close = await socket.closed
  assert.equal(close.cause, 'connection-lost')
  assert.equal(close.messagesReceived, 1)
})

test('our own close is a server-close, whatever the peer answers', async (t) => {
  const { peer, socket, events } = await connectOne(t)
  socket.close(4010, 'go')
  assert.deepEqual((await peer.next())?.payload, Buffer.concat([uint16(4010), Buffer.from('go')]))
  peer.send(closeFrame(1011, 'odd'))
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'server-close',
    initiator: 'server',
    code: 1011,
    reason: 'odd',
    clean: true,
    expected: true,
    retryable: false,
  })
  assert.deepEqual(close.sent, { code: 4010, reason: 'go' })
  assert.deepEqual(events, ['abort', 'close', 'release'])
})

test('our own close without a code is an empty frame', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close()
  assert.equal((await peer.next())?.payload.length, 0)
  peer.send(closeFrame())
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.code, 1005)
  assert.deepEqual(close.sent, { code: 1005, reason: '' })
})

test('our own close that a FIN answers is a server-close', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(1000)
  await peer.nextOf(OPCODE.close)
  peer.finish()
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.code, 1006)
  assert.equal(close.clean, false)
  assert.equal(close.expected, true)
  assert.equal(close.retryable, false)
})

test('terminate() is a server-terminate, and nothing is sent', async (t) => {
  const { peer, socket, events } = await connectOne(t)
  socket.terminate()
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'server-terminate',
    initiator: 'server',
    ...UNTOLD,
    expected: true,
  })
  assert.equal(close.sent, undefined)
  assert.equal(await peer.next(), undefined)
  assert.deepEqual(events, ['abort', 'close', 'release'])
})

test('a handler that throws is a handler-error, and its text stays with us', async (t) => {
  const thrown = new Error('the secret')
  const { peer, socket, events } = await connectOne(t, {
    handler: () => {
      throw thrown
    },
  })
  const frame = await peer.nextOf(OPCODE.close)
  assert.equal(frame?.payload.toString('latin1'), '\x03\xf3handler-error')
  peer.send(closeFrame(1011))
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'handler-error',
    initiator: 'server',
    code: 1011,
    reason: '',
    clean: true,
    expected: false,
    retryable: true,
  })
  assert.equal(close.error, thrown)
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
})

test('a peer that answers no ping is a heartbeat-timeout', async (t) => {
  const clock = new FakeClock()
  const keepalive = { interval: 1000, timeout: 500 }
  const { socket, events } = await connectOne(t, { clock, options: { keepalive } })
  await clock.advance(1000 * 1.1 + 500 + 200)
  const close = await socket.closed
  assert.deepEqual(verdict(close), {
    cause: 'heartbeat-timeout',
    initiator: 'network',
    ...UNTOLD,
  })
  assert.equal(close.sent, undefined)
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
})

test('an app.close() is a shutdown', async (t) => {
  const { app, peer, socket, events } = await connectOne(t)
  const closing = app.close()
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1012)
  peer.send(closeFrame(1012, 'service restart'))
  await closing
  const close = await socket.closed
  assert.equal(close.cause, 'shutdown')
  assert.equal(close.initiator, 'server')
  assert.equal(close.expected, true)
  assert.equal(close.retryable, true)
  assert.deepEqual(events, ['abort', 'close', 'release'])
})
