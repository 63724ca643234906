// What a socket of ours does as a ws does it: send(), request, latency, events.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

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
  await delivered()
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
  await delivered()
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
  await delivered()
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
