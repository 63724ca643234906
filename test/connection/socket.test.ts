import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { WebSocket } from 'ws'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { queuedFrames } from '../../lib/platform/ws-sender.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { logLines } from '../support/servers/log-lines.js'
import { ODD_VIEWS } from '../support/models/odd-views.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

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
    const { peer, socket } = await connectOne(t, { fastify })
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
  const { peer, socket } = await connectOne(t, { fastify })
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
    const { peer, socket } = await connectOne(t, { fastify })
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

for (const { what, given, sent } of [...REASONS, ...VIEWS]) {
  test(`a reason that is ${what} reaches the peer as valid UTF-8 of at most 123 bytes`, async (t) => {
    const { peer, socket } = await connectOne(t)
    ;(socket.close as AnyClose)(4000, given)
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.subarray(2).toString(), sent)
    peer.send(closeFrame(4000))
    assert.deepEqual((await socket.closed).sent, { code: 4000, reason: sent })
  })
}

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

const STATES = [
  {
    state: 'CLOSING',
    enter: async (socket: LifecycleSocket): Promise<void> => {
      socket.close(1000)
    },
  },
  {
    state: 'CLOSED',
    enter: async (socket: LifecycleSocket): Promise<void> => {
      socket.terminate()
      await socket.closed
    },
  },
] as const

for (const { state, enter } of STATES) {
  test(`in ${state} nothing throws, nothing is queued, and callbacks hear of it in a later tick`, async (t) => {
    const { peer, socket, closes } = await connectOne(t)
    await enter(socket)
    assert.equal(socket.readyState, WebSocket[state])
    const errors: Array<Error | undefined> = []
    const note = (error?: Error): void => void errors.push(error)
    assert.equal(socket.send('x'), false)
    assert.equal(socket.send('x', note), false)
    assert.equal(socket.send('x', { binary: true }, note), false)
    socket.ping()
    socket.ping('x')
    socket.ping('x', false, note)
    socket.ping('x', note as never)
    socket.ping(note)
    socket.pong()
    socket.pong('x', false, note)
    socket.pong(note)
    socket.close(1000)
    socket.close(99_999, 'x'.repeat(1_000))
    assert.equal(errors.length, 0)
    await turn()
    assert.equal(errors.length, 7)
    for (const error of errors) {
      assert.ok(error instanceof ConnectionClosedError)
      assert.equal(error.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
      assert.equal(error.closeCause, state === 'CLOSING' ? 'server-close' : 'server-terminate')
    }
    socket.terminate()
    await socket.closed
    assert.equal(closes.length, 1)
    peer.destroy()
  })
}

test('send() returns true for what was queued, in every form', async (t) => {
  const { peer, socket } = await connectOne(t)
  const written: Array<Error | undefined> = []
  assert.equal(socket.send('text'), true)
  assert.equal(socket.send(Buffer.from('binary')), true)
  assert.equal(
    socket.send('callback', (error) => written.push(error)),
    true,
  )
  assert.equal(socket.send('options', { binary: true }), true)
  assert.equal(
    socket.send('both', { binary: true }, (error) => written.push(error)),
    true,
  )
  assert.equal(socket.send('none', undefined as never, undefined), true)
  assert.equal(socket.send(42 as never), true)
  assert.equal(socket.send(new Uint8Array([1, 2, 3])), true)
  const arrived: unknown[] = []
  while (arrived.length < 8) {
    const frame = await peer.next()
    arrived.push([frame?.opcode, frame?.payload.toString('latin1')])
  }
  assert.deepEqual(arrived, [
    [1, 'text'],
    [2, 'binary'],
    [1, 'callback'],
    [2, 'options'],
    [2, 'both'],
    [1, 'none'],
    [1, '42'],
    [2, '\x01\x02\x03'],
  ])
  assert.equal(written.length, 2)
  for (const error of written) assert.ok(!error)
})

test('what was sent just before close() still reaches the peer, in order', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.send('one')
  socket.send('two')
  socket.close(4000)
  assert.equal((await peer.next())?.payload.toString(), 'one')
  assert.equal((await peer.next())?.payload.toString(), 'two')
  assert.equal((await peer.next())?.opcode, OPCODE.close)
  peer.destroy()
})

test('fragments that are sent count as one message, and arrive as one', async (t) => {
  const { app, socket } = await connectOne(t)
  const client = new WebSocket(`ws://127.0.0.1:${portOf(app)}/`)
  await once(client, 'open')
  const [, mine] = app.websocketLifecycle.connections
  assert.ok(mine)
  assert.notEqual(mine, socket)
  mine.send('fr', { fin: false })
  mine.send('ag', { fin: false })
  mine.send('ments', { fin: true })
  const [data] = (await once(client, 'message')) as [Buffer]
  assert.equal(data.toString(), 'fragments')
  client.close(1000)
  assert.equal((await mine.closed).messagesSent, 1)
})

test('each socket has a UUID of its own, which never changes', async (t) => {
  const { app, socket, port } = await connectOne(t)
  const peers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.open(port)))
  await turns()
  const sockets = [...app.websocketLifecycle.connections]
  const ids = sockets.map((each) => each.id)
  assert.equal(new Set(ids).size, 21)
  for (const id of ids)
    assert.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  const { id } = socket
  socket.terminate()
  await socket.closed
  assert.equal(socket.id, id)
  for (const peer of peers) peer.destroy()
})

test("socket.request is the request that the route's hooks and handler got", async (t) => {
  const seen: unknown[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.addHook('onRequest', async (request) => void seen.push(request))
      app.get(
        '/:room',
        { websocket: true, preHandler: async (request) => void seen.push(request) },
        (socket, request) => {
          seen.push(request, socket.request)
        },
      )
    },
  })
  const peer = await RawPeer.open(portOf(app), '/kitchen?x=1')
  await turns()
  assert.equal(seen.length, 4)
  for (const request of seen) assert.equal(request, seen[0])
  const [socket] = app.websocketLifecycle.connections
  assert.deepEqual({ ...(socket?.request.params as object) }, { room: 'kitchen' })
  assert.deepEqual({ ...(socket?.request.query as object) }, { x: '1' })
  peer.destroy()
})

test('latency is the round trip of the last answered ping', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, {
    clock,
    options: { keepalive: { interval: 1000, timeout: 5000 } },
  })
  assert.equal(socket.latency, undefined)
  await clock.advance(1100)
  const ping = await peer.nextOf(OPCODE.ping)
  assert.ok(ping)
  assert.equal(socket.latency, undefined)
  const before = clock.now()
  peer.send(frame(OPCODE.pong, 'not ours'))
  await turns()
  assert.equal(socket.latency, undefined)
  await clock.advance(70)
  assert.ok(clock.now() > before)
  peer.send(frame(OPCODE.pong, ping.payload))
  await once(socket, 'pong')
  assert.ok(
    socket.latency !== undefined && socket.latency >= 70 && socket.latency <= 700,
    String(socket.latency),
  )
  peer.reset()
  const close = await socket.closed
  assert.equal(close.latency, socket.latency)
})

test("close listeners get the peer's code and reason, as in ws", async (t) => {
  const { peer, socket } = await connectOne(t)
  const closed = once(socket, 'close')
  peer.send(closeFrame(4001, 'bye'))
  const [code, reason] = (await closed) as [number, Buffer]
  assert.equal(code, 4001)
  assert.ok(Buffer.isBuffer(reason))
  assert.equal(reason.toString(), 'bye')
})

test('an event of the app arrives with all its arguments', async (t) => {
  const { peer, socket } = await connectOne(t)
  const symbol = Symbol('event')
  const args = [1, 'two', { three: 3 }, null, undefined, 6]
  const seen: unknown[][] = []
  socket.on('custom', (...given: unknown[]) => seen.push(given))
  socket.on(symbol, (...given: unknown[]) => seen.push(given))
  assert.equal(socket.emit('custom', ...args), true)
  assert.equal(socket.emit(symbol, ...args), true)
  assert.equal(socket.emit('nobody listens'), false)
  assert.deepEqual(seen, [args, args])
  peer.destroy()
})

test('a peer that sends ten pings at once gets ten pongs', async (t) => {
  const { peer } = await connectOne(t)
  peer.send(...Array.from({ length: 10 }, (_, i) => frame(OPCODE.ping, `ping ${i}`)))
  for (let i = 0; i < 10; i++) {
    const pong = await peer.next()
    assert.equal(pong?.opcode, OPCODE.pong)
    assert.equal(pong?.payload.toString(), `ping ${i}`)
  }
})

test('a peer that reads gets a pong for each of 500 pings', async (t) => {
  const { peer } = await connectOne(t)
  for (let i = 0; i < 500; i++) peer.send(frame(OPCODE.ping, `${i}`))
  for (let i = 0; i < 500; i++) assert.equal((await peer.next())?.payload.toString(), `${i}`)
})

test('20,000 pings of a peer that does not read end and hold nothing, and the last is answered when it reads', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.freeze()
  // A backlog first, so that not one pong can leave.
  socket.send(Buffer.alloc(16 * 1024 * 1024))
  await turns()
  const backlog = socket.bufferedAmount
  assert.ok(backlog > 0)
  let pings = 0
  const all = new Promise<void>((resolve) => {
    socket.on('ping', () => {
      if (++pings === 20_000) resolve()
    })
  })
  for (let i = 0; i < 20_000; i += 100) {
    peer.send(...Array.from({ length: 100 }, (_, k) => frame(OPCODE.ping, `${i + k}`)))
  }
  await all
  assert.equal(socket.readyState, socket.OPEN)
  // One pong waits, and no other is made until it has left.
  assert.ok(socket.bufferedAmount <= backlog + 125)
  const pongs: string[] = []
  peer.socket.resume()
  for (;;) {
    const pong = await peer.nextOf(OPCODE.pong)
    pongs.push(String(pong?.payload))
    if (pongs.at(-1) === '19999' || pong === undefined) break
  }
  assert.deepEqual(pongs, ['0', '19999'])
})

test('pings that come while ws compresses hold no more than two pongs', async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    options: { websocket: { perMessageDeflate: true } },
  })
  const peer = await RawPeer.open(port, '/', DEFLATE)
  const socket = await nextSocket()
  let pings = 0
  const all = new Promise<void>((resolve) => {
    socket.on('ping', () => {
      if (++pings === 5_000) resolve()
    })
  })
  socket.send(randomBytes(16 * 1024 * 1024))
  for (let i = 0; i < 5_000; i += 100) {
    peer.send(...Array.from({ length: 100 }, (_, k) => frame(OPCODE.ping, `${i + k}`)))
  }
  await all
  assert.ok(queuedFrames(socket) <= 2)
  let last: string | undefined
  while (last !== '4999') last = String((await peer.nextOf(OPCODE.pong))?.payload)
  peer.destroy()
})

test('with autoPong: false the app answers pings itself', async (t) => {
  const { peer, socket } = await connectOne(t, { options: { websocket: { autoPong: false } } })
  const ping = once(socket, 'ping')
  peer.send(frame(OPCODE.ping, 'for the app'))
  const [data] = (await ping) as [Buffer]
  assert.equal(data.toString(), 'for the app')
  socket.send('next')
  assert.equal((await peer.next())?.opcode, OPCODE.text)
  socket.pong('mine')
  const pong = await peer.next()
  assert.equal(pong?.opcode, OPCODE.pong)
  assert.equal(pong?.payload.toString(), 'mine')
})
