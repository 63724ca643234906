// What close() makes of codes and reasons that cannot be sent.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { WebSocket } from 'ws'
import { FakeClock } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { ODD_VIEWS } from '../support/models/odd-views.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'

const { closeFrame } = RawPeer

/** What a caller without types may give to close(). */
type AnyClose = (code?: unknown, reason?: unknown) => void

const WRONG_CODES = [
  999,
  1004,
  1016,
  2999,
  5000,
  0,
  -1,
  1000.5,
  NaN,
  Infinity,
  '1000',
  'ERR_X',
  null,
  {},
  true,
  1000n,
]

for (const code of WRONG_CODES) {
  test(`close(${inspect(code)}) becomes 1000, with one warning`, async (t) => {
    const { lines, fastify } = logLines()
    const { peer, socket } = await connectOne(t, { fastify, clock: new FakeClock() })
    ;(socket.close as AnyClose)(code, 'why')
    const payload = (await peer.nextOf(OPCODE.close))?.payload
    assert.equal(payload?.readUInt16BE(), 1000)
    assert.equal(payload?.subarray(2).toString(), 'why')
    peer.send(closeFrame(1000))
    const close = await socket.closed
    assert.equal(close.cause, 'server-close')
    assert.deepEqual(close.sent, { code: 1000, reason: 'why' })
    const warnings = lines.filter(({ level }) => level === 40)
    assert.equal(warnings.length, 1)
    assert.match(String(warnings[0]?.['msg']), /may not be sent/)
    assert.equal(warnings[0]?.['id'], socket.id)
    assert.equal(warnings[0]?.['route'], '/')
  })
}

for (const code of [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
]) {
  test(`close(${code}) is sent as it is`, async (t) => {
    const { peer, socket } = await connectOne(t)
    socket.close(code)
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), code)
    peer.send(closeFrame(code))
    assert.equal((await socket.closed).sent?.code, code)
  })
}

test('close(1005) sends a frame without a code, and so without a reason: nobody is warned', async (t) => {
  const { lines, fastify } = logLines()
  const { peer, socket } = await connectOne(t, { fastify, clock: new FakeClock() })
  socket.close(1005, 'why')
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.length, 0)
  peer.send(closeFrame())
  const close = await socket.closed
  const { cause, clean, retryable, sent } = close
  assert.deepEqual(
    { cause, clean, retryable, sent },
    { cause: 'server-close', clean: true, retryable: true, sent: { code: 1005, reason: '' } },
  )
  assert.deepEqual(
    lines.filter(({ level }) => level === 40),
    [],
  )
})

for (const code of [1006, 1015]) {
  test(`close(${code}) becomes 1011: who comes back does well, and one warning says so`, async (t) => {
    const { lines, fastify } = logLines()
    const { peer, socket } = await connectOne(t, { fastify, clock: new FakeClock() })
    socket.close(code, 'why')
    const payload = (await peer.nextOf(OPCODE.close))?.payload
    assert.equal(payload?.readUInt16BE(), 1011)
    assert.equal(payload?.subarray(2).toString(), 'why')
    peer.send(closeFrame(1011))
    const { cause, retryable, sent } = await socket.closed
    assert.deepEqual(
      { cause, retryable, sent },
      { cause: 'server-close', retryable: true, sent: { code: 1011, reason: 'why' } },
    )
    const warnings = lines.filter(({ level }) => level === 40)
    assert.deepEqual(
      warnings.map(({ msg, code: given }) => [msg, given]),
      [['close() got a code that may not be sent; 1011 was sent', code]],
    )
  })
}

test('a proxy passes on whatever its other side ended with, and its peer is told what that was', async (t) => {
  const upstream = await serve(t, {
    routes: (app) => {
      app.get('/empty', { websocket: true }, (socket) => socket.close())
      app.get('/lost', { websocket: true }, (socket) => socket.terminate())
      app.get('/4000', { websocket: true }, (socket) => socket.close(4000, 'mine'))
    },
  })
  const { port } = await serveOne(t, {
    routes: (app) =>
      app.get('/to/:path', { websocket: true }, (socket, request) => {
        const { path } = request.params as { path: string }
        const other = new WebSocket(`ws://127.0.0.1:${portOf(upstream)}/${path}`)
        other.on('close', (code, reason) => socket.close(code, reason))
      }),
  })
  const ends: unknown[] = []
  for (const path of ['empty', 'lost', '4000']) {
    const client = new WebSocket(`ws://127.0.0.1:${port}/to/${path}`)
    const [code, reason] = (await once(client, 'close')) as [number, Buffer]
    ends.push([code, reason.toString()])
  }
  assert.deepEqual(ends, [
    [1005, ''],
    [1011, ''],
    [4000, 'mine'],
  ])
})

const REASONS = [
  { what: 'a string', given: 'bye', sent: 'bye' },
  { what: 'a Buffer', given: Buffer.from('bye'), sent: 'bye' },
  { what: 'a Uint8Array', given: new Uint8Array([0x62, 0x79, 0x65]), sent: 'bye' },
  { what: '123 bytes', given: 'x'.repeat(123), sent: 'x'.repeat(123) },
  { what: '124 bytes', given: 'x'.repeat(124), sent: 'x'.repeat(123) },
  { what: 'characters of two bytes', given: 'ż'.repeat(100), sent: 'ż'.repeat(61) },
  { what: 'characters of three bytes', given: '語'.repeat(100), sent: '語'.repeat(41) },
  { what: 'characters of four bytes', given: '🦊'.repeat(100), sent: '🦊'.repeat(30) },
  { what: 'a long Buffer', given: Buffer.from('ż'.repeat(100)), sent: 'ż'.repeat(61) },
  { what: 'a lone surrogate', given: 'a\ud800b', sent: 'a\ufffdb' },
  { what: 'a Buffer that is no UTF-8', given: Buffer.from([0xff, 0x61]), sent: '\ufffda' },
  { what: 'a number', given: 42, sent: '42' },
  { what: 'null', given: null, sent: '' },
] as const

const VIEWS = ODD_VIEWS.map(({ what, make, text }) => ({ what, given: make(), sent: text }))

describe('a reason reaches the peer as valid UTF-8 of at most 123 bytes', () => {
  for (const { what, given, sent } of [...REASONS, ...VIEWS]) {
    test(`that is ${what}`, async (t) => {
      const { peer, socket } = await connectOne(t)
      ;(socket.close as AnyClose)(4000, given)
      assert.equal((await peer.nextOf(OPCODE.close))?.payload.subarray(2).toString(), sent)
      peer.send(closeFrame(4000))
      assert.deepEqual((await socket.closed).sent, { code: 4000, reason: sent })
    })
  }
})

test('close() does not throw for a reason that no string can be made of', async (t) => {
  const { peer, socket } = await connectOne(t)
  ;(socket.close as AnyClose)(4000, Object.create(null))
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 4000)
  peer.destroy()
})

test('a reason without a code is an empty close frame, as in ws', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(undefined, 'lost')
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.length, 0)
  peer.send(closeFrame())
  assert.deepEqual((await socket.closed).sent, { code: 1005, reason: '' })
})
