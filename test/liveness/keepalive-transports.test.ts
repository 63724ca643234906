// Keepalive over TLS, and of a connection that no socket carries.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { SlowReader } from '../support/peers/slow-reader.js'
import { cert, key } from '../support/servers/tls.js'
import {
  keepalive,
  TICK,
  BOUND,
  PATIENT,
  listen,
  pings,
  untilDead,
} from '../support/servers/timed-keepalive.js'

const { frame } = RawPeer
const https = { https: { key, cert } } as FastifyServerOptions

async function connectTls(
  t: TestContext,
  clock: FakeClock,
): Promise<{ peer: RawPeer; socket: LifecycleSocket; tcp: Socket }> {
  const { port, nextSocket } = await serveOne(t, {
    clock,
    fastify: https,
    options: { keepalive, outbox: PATIENT },
  })
  const tcp = connectTcp(port, '127.0.0.1')
  const stream = connect({ socket: tcp, ca: cert, servername: 'localhost' })
  await once(stream, 'secureConnect')
  const peer = await RawPeer.over(stream, port)
  return { peer, socket: await nextSocket(), tcp }
}

for (const over of ['TCP', 'TLS'] as const) {
  test(`over ${over} an echo in three quarters of an interval spares all pings but the first`, async (t) => {
    const clock = new FakeClock()
    const { peer, socket } = await (over === 'TCP'
      ? connectOne(t, { clock, options: { keepalive } })
      : connectTls(t, clock))
    const frames = listen(peer, true)
    socket.on('message', (message) => void socket.send(message))
    // The first one comes early.
    while (pings(frames) === 0) await clock.advance(TICK)
    for (let echo = 1; echo <= 40; echo++) {
      peer.send(frame(OPCODE.text, 'in'))
      await clock.advance(0.75 * keepalive.interval)
      assert.deepEqual([frames.length, pings(frames)], [1 + echo, 1])
    }
    peer.destroy()
  })
}

test('over TLS a dead peer is found within the bound', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  listen(peer, false)
  await clock.advance(BOUND)
  assert.equal((await socket.closed).cause, 'heartbeat-timeout')
})

test('over TLS a peer that answers lives, and its latency is known', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  listen(peer, true)
  await clock.advance(10 * BOUND)
  assert.equal(socket.readyState, socket.OPEN)
  assert.notEqual(socket.latency, undefined)
  peer.destroy()
})

test('over TLS a slow reader lives while it takes what we sent, and dies once it has stopped', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectTls(t, clock)
  const reader = new SlowReader(peer)
  socket.send(Buffer.alloc(48 * 1024 * 1024))
  await delivered()
  for (let elapsed = 0; elapsed < 6_000; elapsed += 200) {
    await reader.read(512 * 1024)
    await clock.advance(200)
    assert.equal(socket.readyState, socket.OPEN, `dead after ${elapsed} ms`)
  }
  await untilDead(clock, socket)
  peer.destroy()
})

test('over TLS a FIN, a RST and a close frame are told apart too', async (t) => {
  const ends: Array<[string, (peer: RawPeer, tcp: Socket) => unknown]> = [
    ['connection-lost', (peer) => peer.finish()],
    ['connection-reset', (_peer, tcp) => tcp.resetAndDestroy()],
    ['client-close', (peer) => peer.send(RawPeer.closeFrame(1000))],
  ]
  for (const [cause, end] of ends) {
    const { peer, socket, tcp } = await connectTls(t, new FakeClock())
    end(peer, tcp)
    assert.equal((await socket.closed).cause, cause)
  }
})

test('a connection of injectWS is pinged, and never judged', async (t) => {
  const clock = new FakeClock()
  const { app, nextSocket } = await serveOne(t, { clock, options: { keepalive } })
  const client = await app.injectWS('/')
  const socket = await nextSocket()
  let count = 0
  client.on('ping', () => count++)
  await clock.advance(10 * BOUND)
  assert.ok(count >= 10, `${count}`)
  assert.equal(socket.readyState, socket.OPEN)
  client.terminate()
  await socket.closed
})
