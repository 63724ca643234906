// What the record of an end tells, and when the signal of the scope aborts.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

test('the record counts messages, and bytes on the wire from the 101 on', async (t) => {
  const { peer, socket } = await connectOne(t)
  const inbound = [
    frame(OPCODE.text, 'one'),
    frame(OPCODE.binary, Buffer.alloc(300)),
    frame(OPCODE.ping, 'p'),
  ]
  const halves = [frame(OPCODE.text, 'th', false), frame(OPCODE.continuation, 'ree')]
  peer.send(...inbound, ...halves)
  socket.send('hello')
  socket.send(Buffer.alloc(200))
  socket.send('fr', { fin: false })
  socket.send('agments', { fin: true })
  await peer.nextOf(OPCODE.pong)
  peer.send(closeFrame(1000))
  const close = await socket.closed
  assert.equal(close.messagesReceived, 3)
  assert.equal(close.messagesSent, 3)
  assert.equal(close.bytesReceived, Buffer.concat([...inbound, ...halves, closeFrame(1000)]).length)
  assert.equal(close.bytesSent, 7 + 204 + 4 + 9 + 3 + 4)
})

test('bytes that came with the handshake count too', async (t) => {
  let early: Promise<unknown> | undefined
  const { port, nextSocket } = await serveOne(t, {
    handler: (socket) => {
      early = once(socket, 'message')
    },
  })
  const raw = connect(port, '127.0.0.1')
  await once(raw, 'connect')
  raw.write(Buffer.concat([Buffer.from(RawPeer.handshake(port, '/')), frame(OPCODE.text, 'early')]))
  const socket = await nextSocket()
  await early
  raw.resetAndDestroy()
  const close = await socket.closed
  assert.equal(close.messagesReceived, 1)
  assert.equal(close.bytesReceived, frame(OPCODE.text, 'early').length)
})

test('openedAt is the wall clock at the 101, duration is monotonic', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock, options: { keepalive: false } })
  const openedAt = clock.wall()
  await clock.advance(12_345)
  peer.reset()
  const close = await socket.closed
  assert.equal(close.openedAt, openedAt)
  assert.equal(close.duration, 12_345)
})

test('the signal waits until our close frame has left a message that is being compressed', async (t) => {
  const { peer, socket } = await connectOne(
    t,
    { options: { websocket: { perMessageDeflate: { threshold: 0 } } } },
    DEFLATE,
  )
  const order: string[] = []
  socket.scope.signal.addEventListener('abort', () => order.push('abort'))
  socket.send('x'.repeat(1_000_000), () => order.push('message written'))
  socket.close(4000)
  await Promise.resolve()
  assert.equal(socket.scope.signal.aborted, false)
  const aborted = once(socket.scope.signal, 'abort')
  const written = await peer.nextOf(OPCODE.close)
  assert.equal(written?.payload.readUInt16BE(), 4000)
  await aborted
  assert.deepEqual(order, ['message written', 'abort'])
  peer.send(closeFrame(4000))
  assert.deepEqual((await socket.closed).sent, { code: 4000, reason: '' })
})

test('a close frame that never left the compression queue is not said to be sent', async (t) => {
  const { peer, socket } = await connectOne(
    t,
    { options: { websocket: { perMessageDeflate: { threshold: 0 } } } },
    DEFLATE,
  )
  socket.send('x'.repeat(5_000_000))
  socket.close(4000)
  peer.reset()
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.sent, undefined)
})

test('without anything being compressed the signal aborts in a microtask', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(1000)
  assert.equal(socket.scope.signal.aborted, false)
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(socket.scope.signal.aborted, true)
  peer.destroy()
})

test('a signal that is first looked at while the connection ends has aborted all the same', async (t) => {
  const { app, peer } = await (async () => {
    const app = await serve(t, {
      routes: (app) => {
        app.get('/', { websocket: true }, () => {})
      },
    })
    return { app, peer: await RawPeer.open(portOf(app)) }
  })()
  const [socket] = app.websocketLifecycle.connections
  assert.ok(socket)
  socket.close(1000)
  await turns(1)
  const { signal } = socket.scope
  await turns(1)
  assert.equal(signal.aborted, true)
  peer.destroy()
})
