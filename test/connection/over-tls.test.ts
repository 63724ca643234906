// What happens beneath a WebSocket over TLS: records that are none, ends without a word, handshakes that never end.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import type { FastifyServerOptions } from 'fastify'
import { Client } from '../support/peers/client.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { MORE_THAN_A_KERNEL_HOLDS } from '../support/servers/outbox.js'
import { serverSockets } from '../support/servers/server-sockets.js'
import { type Connected, type OneRoute, portOf, serveOne } from '../support/servers/server.js'
import { cert, key } from '../support/servers/tls.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

const https = { https: { key, cert } } as FastifyServerOptions

interface Secured extends Connected {
  readonly clock: FakeClock
  /** The TCP connection of the peer. */
  readonly tcp: Socket
}

/** Opens a connection over TLS, whose peer ends neither TLS nor TCP by itself. */
async function open(t: TestContext, setup: OneRoute = {}): Promise<Secured> {
  const clock = new FakeClock()
  const options = { keepalive: false, ...setup.options } as const
  const observed = await serveOne(t, { ...setup, clock, options, fastify: https })
  const tcp = connectTcp({ port: observed.port, host: '127.0.0.1', allowHalfOpen: true })
  tcp.on('error', () => {})
  const stream = connect({ socket: tcp, ca: cert, servername: 'localhost' })
  t.after(() => tcp.destroy())
  await once(stream, 'secureConnect')
  const peer = await RawPeer.over(stream, observed.port)
  return { ...observed, clock, tcp, peer, socket: await observed.nextSocket() }
}

for (const [what, hurt] of Object.entries<(tcp: Socket) => unknown>({
  'bytes that are no record': (tcp) => tcp.write('x'.repeat(1_000)),
  'a FIN of TCP alone, without a word of TLS': (tcp) => tcp.end(),
  'a FIN of TCP within a record': (tcp) => tcp.end(Buffer.from([23, 3, 3, 1, 0, 1, 2, 3])),
})) {
  test(`${what}: the connection is lost at once, and nobody else notices`, async (t) => {
    const { app, closes, events, socket, tcp } = await open(t)
    hurt(tcp)
    const { cause, clean } = await within(socket.closed, 'the end')
    assert.deepEqual({ cause, clean }, { cause: 'connection-lost', clean: false })
    assert.equal(closes.length, 1)
    assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
    const client = await Client.open(`wss://127.0.0.1:${portOf(app)}/`, { ca: cert })
    await client.roundTrip()
    client.ws.terminate()
  })
}

test('a RST of TCP is a connection-reset', async (t) => {
  const { socket, tcp } = await open(t)
  tcp.resetAndDestroy()
  assert.equal((await within(socket.closed, 'the end')).cause, 'connection-reset')
})

test('a peer that ends neither TLS nor TCP after the close frames is gone at closeTimeout', async (t) => {
  const { clock, peer, socket } = await open(t, { route: { closeTimeout: 1_000 } })
  socket.close(4000)
  assert.ok(await peer.nextOf(OPCODE.close))
  peer.send(RawPeer.closeFrame(4000))
  await peer.ended()
  let isOver = false
  void socket.closed.then(() => (isOver = true))
  await clock.advance(900)
  assert.equal(isOver, false)
  await clock.advance(200)
  assert.equal(isOver, true)
  const { cause, clean } = await socket.closed
  assert.deepEqual({ cause, clean }, { cause: 'server-close', clean: true })
})

test('a drain cuts a peer that reads no TCP, with megabytes before it, when its time is up', async (t) => {
  const { app, clock, peer, socket } = await open(t, {
    options: { outbox: { maxBytes: 2 * MORE_THAN_A_KERNEL_HOLDS, maxAge: false } },
  })
  const sockets = serverSockets(app)
  peer.freeze()
  socket.send(Buffer.alloc(MORE_THAN_A_KERNEL_HOLDS))
  const draining = app.websocketLifecycle.drain({ timeout: 2_000 })
  await clock.advance(2_100)
  assert.equal((await within(draining, 'the drain')).terminated, 1)
  await until(() => sockets.size === 0)
  assert.equal(clock.pending, 0)
})

describe('a handshake of TLS', () => {
  for (const [what, begin] of Object.entries<(tcp: Socket) => unknown>({
    'that sends nothing': () => {},
    'that stops within its first record': (tcp) => tcp.write(Buffer.from([22, 3, 1, 2, 0, 1])),
    'that is none': (tcp) => tcp.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    'that is cut off by a RST': (tcp) => {
      tcp.write(Buffer.from([22, 3, 1]))
      tcp.resetAndDestroy()
    },
  })) {
    test(`${what} is no upgrade: it takes no place, no timer, and no time of a drain`, async (t) => {
      const clock = new FakeClock()
      const options = { keepalive: false, maxConnections: 1 } as const
      const { app, port, nextSocket } = await serveOne(t, { clock, options, fastify: https })
      const tcp = connectTcp(port, '127.0.0.1')
      tcp.on('error', () => {})
      t.after(() => tcp.destroy())
      await once(tcp, 'connect')
      begin(tcp)
      await delivered()
      assert.equal(clock.pending, 0)
      const client = await Client.open(`wss://127.0.0.1:${port}/`, { ca: cert })
      await nextSocket()
      const { open: isOpen, refused } = app.websocketLifecycle.stats()
      assert.equal(isOpen, 1)
      assert.deepEqual(new Set(Object.values(refused)), new Set([0]))
      const { closed, terminated } = await within(app.websocketLifecycle.drain(), 'the drain')
      assert.deepEqual({ closed, terminated }, { closed: 1, terminated: 0 })
      assert.equal((await client.closed).code, 1012)
    })
  }

  // node waits for it in server.close(), and knows no other bound.
  test('that never ends holds app.close() as long as `handshakeTimeout` of `https` says', async (t) => {
    const fastify = { https: { key, cert, handshakeTimeout: 200 } } as FastifyServerOptions
    const { app, port } = await serveOne(t, { fastify })
    const tcp = connectTcp(port, '127.0.0.1')
    tcp.on('error', () => {})
    await once(tcp, 'connect')
    await within(app.close(), 'app.close()')
    await until(() => tcp.destroyed)
  })
})

test('a server of HTTP/2 that takes HTTP/1 has WebSockets, and its drain ends them', async (t) => {
  const fastify = { http2: true, https: { key, cert, allowHTTP1: true } } as FastifyServerOptions
  const { app, port, nextSocket, closes } = await serveOne(t, { fastify })
  const client = await Client.open(`wss://127.0.0.1:${port}/`, { ca: cert })
  const socket = await nextSocket()
  socket.on('message', (data) => socket.send(data))
  client.ws.send('hello')
  assert.equal(await client.next(), 'hello')
  await within(app.close(), 'app.close()')
  assert.equal((await client.closed).code, 1012)
  assert.equal(closes[0]?.cause, 'shutdown')
})
