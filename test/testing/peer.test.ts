// A peer as any client is: messages, their order and types, and ends that both sides see.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FIN } from '../../lib/core/frame.js'
import { connect, type Peer } from '../../lib/testing/index.js'
import { bytesOf, closeFrame, FrameReader, frameOf, OPCODE } from '../../lib/testing/frames.js'
import { kitApp, theSocket } from '../support/servers/kit-app.js'
import { until } from '../support/time/timed.js'

test('text is a string, and everything else a Buffer', async (t) => {
  const peer = await connect(await kitApp(t))
  const sent = ['grüezi 🦊', '', Buffer.from([0, 255]), Buffer.alloc(0)]
  for (const each of sent) peer.send(each)
  for (const each of sent) assert.deepEqual(await peer.next(), each)
  peer.send(new Uint8Array([1, 2]))
  assert.deepEqual(await peer.next(), Buffer.from([1, 2]))
})

for (const size of [125, 126, 65_535, 65_536, 900_000]) {
  test(`a message of ${size} bytes goes and comes`, async (t) => {
    const peer = await connect(await kitApp(t))
    const text = 'x'.repeat(size)
    peer.send(text)
    assert.ok((await peer.next()) === text)
  })
}

test('messages with a parse have its type', async (t) => {
  const app = await kitApp(t)
  const peer: Peer<{ n: number }> = await connect<{ n: number }>(app, '/', { parse: JSON.parse })
  peer.send('{"n":1}')
  peer.send(Buffer.from('{"n":2}'))
  assert.equal((await peer.next()).n, 1)
  assert.equal((await peer.next()).n, 2)
  peer.send('no JSON')
  await assert.rejects(peer.next(), SyntaxError)
})

test('a message in parts is one message, with a ping between', async (t) => {
  const app = await kitApp(t, {
    handler: async (socket) => {
      const raw = Reflect.get(socket, '_socket') as NodeJS.WritableStream
      raw.write(bytesOf(OPCODE.text, 'one ', false))
      raw.write(bytesOf(FIN | OPCODE.ping, 'x', false))
      raw.write(bytesOf(FIN | OPCODE.continuation, 'whole', false))
    },
  })
  const peer = await connect(app)
  assert.equal(await peer.next(), 'one whole')
})

test('frames are read whatever the size of the packets that bring them', () => {
  const bytes = Buffer.concat([
    bytesOf(FIN | OPCODE.text, 'short', false),
    bytesOf(FIN | OPCODE.binary, Buffer.alloc(300, 1), false),
    bytesOf(FIN | OPCODE.binary, Buffer.alloc(70_000, 2), false),
    bytesOf(FIN | OPCODE.close, '', false),
  ])
  for (const size of [1, 7, 1_000, bytes.length]) {
    const reader = new FrameReader()
    const lengths: number[] = []
    for (let at = 0; at < bytes.length; at += size) {
      for (const { payload } of reader.read(bytes.subarray(at, at + size))) {
        lengths.push(payload.length)
      }
    }
    assert.deepEqual(lengths, [5, 300, 70_000, 0], `${size}`)
  }
})

test('a loop takes message by message, and ends with the connection', async (t) => {
  const app = await kitApp(t, {
    handler: (socket) => {
      for (const each of ['a', 'b', 'c']) socket.send(each)
      socket.close(4000, 'enough')
    },
  })
  const peer = await connect(app)
  const seen: unknown[] = []
  for await (const message of peer) seen.push(message)
  assert.deepEqual(seen, ['a', 'b', 'c'])
  const { error, ...close } = await peer.closed
  assert.deepEqual([close, error], [{ code: 4000, reason: 'enough' }, undefined])
})

test('those who wait get messages in the order in which they asked', async (t) => {
  const peer = await connect(await kitApp(t))
  const both = Promise.all([peer.next(), peer.next()])
  peer.send('first')
  peer.send('second')
  assert.deepEqual(await both, ['first', 'second'])
})

test('pings are answered, and so is a close frame', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  const ponged = new Promise((resolve) => socket.on('pong', resolve))
  socket.ping('are you there?')
  assert.equal(String(await ponged), 'are you there?')
  socket.close(4001, 'bye')
  assert.equal((await peer.closed).code, 4001)
  const { clean, received } = await socket.closed
  assert.deepEqual([clean, received?.code], [true, 4001])
})

test('close() sends a code or none, and resolves when the connection is over', async (t) => {
  const app = await kitApp(t)
  const frames: ReadonlyArray<[[number?, string?], number, string]> = [
    [[], 1005, ''],
    [[1000], 1000, ''],
    [[4000, 'grüezi'], 4000, 'grüezi'],
  ]
  for (const [args, code, reason] of frames) {
    const peer = await connect(app)
    const socket = theSocket(app)
    const first = peer.close(...args)
    // A second one says no more.
    const close = await peer.close(4999)
    assert.equal(await first, close)
    assert.deepEqual(close.code, code)
    assert.ok(peer.socket.destroyed)
    const { cause, received } = await socket.closed
    assert.equal(cause, 'client-close')
    assert.deepEqual(received, { code, reason })
    // It is over: nothing happens, and nothing is thrown.
    peer.send('too late')
    peer.drop()
    peer.reset()
  }
})

test('drop() sends a FIN, and no close frame', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.drop()
  assert.equal((await socket.closed).cause, 'connection-lost')
  assert.deepEqual(await peer.closed, { code: 1006, reason: '', error: undefined })
})

test('reset() sends a RST', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
  assert.equal((await peer.closed).code, 1006)
})

test('a RST of the server is the error of the end', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const raw = Reflect.get(theSocket(app), '_socket') as { resetAndDestroy(): void }
  raw.resetAndDestroy()
  const { code, error } = await peer.closed
  assert.equal(code, 1006)
  assert.match(String(error), /ECONNRESET/)
  await assert.rejects(peer.next(), /the connection has ended \(read ECONNRESET\)/)
})

test('sendRaw() writes what is no frame', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.sendRaw(frameOf(OPCODE.text, 'half').subarray(0, 5))
  peer.sendRaw(frameOf(OPCODE.text, 'half').subarray(5))
  assert.equal(await peer.next(), 'half')
  peer.sendRaw('no frame at all')
  assert.equal((await socket.closed).cause, 'protocol-error')
  assert.equal((await peer.closed).code, 1002)
})

test('a close frame of the peer that stands in the same packet as the answer to another ends it once', async (t) => {
  const app = await kitApp(t)
  const peer = await connect(app)
  const socket = theSocket(app)
  peer.sendRaw(Buffer.concat([closeFrame(4000), closeFrame(4001)]))
  assert.equal((await socket.closed).received?.code, 4000)
  await until(() => peer.socket.destroyed)
})
