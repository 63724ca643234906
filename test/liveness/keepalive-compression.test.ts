import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOver, rawOf, TCP } from '../support/servers/outbox.js'
import { serveOne } from '../support/servers/server.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { threadPool } from '../support/time/thread-pool.js'
import { until } from '../support/time/timed.js'

test('while ws keeps a ping behind a message that it compresses, nobody is judged', async (t) => {
  const clock = new FakeClock()
  const { port, nextSocket } = await serveOne(t, {
    clock,
    options: {
      keepalive: { interval: 1_000, timeout: 500 },
      websocket: { perMessageDeflate: true },
    },
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: true })
  t.after(() => client.terminate())
  const socket = await nextSocket()
  const pinged = once(client, 'ping')
  const answered = once(socket, 'pong')
  socket.send(randomBytes(16 * 1024 * 1024))
  // Far more than the timeout passes before zlib has done its work, on a thread of its own.
  await clock.advance(5_000)
  assert.equal(socket.readyState, WebSocket.OPEN)
  await pinged
  await answered
  await clock.advance(400)
  assert.equal(socket.readyState, WebSocket.OPEN)
})

test('a peer is not judged while its close frame waits behind a message that ws unpacks', async (t) => {
  const pool = threadPool(t)
  const clock = new FakeClock()
  const { peer, socket } = await connectOver(
    TCP,
    t,
    {
      clock,
      options: {
        keepalive: { interval: 1_000, timeout: 500 },
        websocket: { perMessageDeflate: true },
      },
    },
    DEFLATE,
  )
  pool.hold()
  const raw = rawOf(socket)
  const before = raw.bytesRead
  // Whoever has sent its close frame answers no ping.
  peer.send(RawPeer.deflated('x'), RawPeer.closeFrame(1000))
  await until(() => raw.bytesRead > before)
  await clock.advance(10_000)
  assert.equal(socket.readyState, WebSocket.OPEN)
  await pool.release()
  const { cause, code } = await socket.closed
  assert.deepEqual([cause, code], ['client-close', 1000])
})
