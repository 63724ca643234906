// What strangers send in place of a proper handshake, and what comes in one packet with one.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import type { LifecycleSocket } from '../../lib/index.js'
import { until } from '../support/time/timed.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { allRead } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf } from '../support/servers/server.js'
import { assertNothingLeft, serveScoped } from '../support/servers/scoped.js'

/** The same bytes for a bare @fastify/websocket: the status that it answers with. */
async function bareStatus(t: TestContext, packet: (port: number) => string): Promise<number> {
  const app = Fastify()
  endWith(t, app)
  await app.register(fastifyWebsocket)
  app.get('/ws', { websocket: true }, () => {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const peer = await RawPeer.dialWith(portOf(app), packet(portOf(app)))
  return parseAnswer(await peer.answer()).status
}

const oldHandshake = (port: number): string =>
  RawPeer.handshake(port, '/ws').replace('HTTP/1.1', 'HTTP/1.0')

describe('what is no proper handshake', () => {
  const packets: Array<[name: string, status: number, packet: (port: number) => string]> = [
    [
      'no key',
      400,
      (port) => RawPeer.handshake(port, '/ws').replace(/sec-websocket-key.*\r\n/, ''),
    ],
    [
      'a key that is none',
      400,
      (port) => RawPeer.handshake(port, '/ws', { 'sec-websocket-key': 'garbage' }),
    ],
    [
      'a version that nobody speaks',
      400,
      (port) => RawPeer.handshake(port, '/ws', { 'sec-websocket-version': '99' }),
    ],
    [
      'extensions that cannot be parsed',
      101,
      (port) => RawPeer.handshake(port, '/ws', { 'sec-websocket-extensions': ';;;===' }),
    ],
    [
      'subprotocols that cannot be parsed',
      400,
      (port) => RawPeer.handshake(port, '/ws', { 'sec-websocket-protocol': ',,,' }),
    ],
  ]
  for (const [name, status, packet] of packets) {
    test(`${name}: is answered as by @fastify/websocket, with ${status}`, async (t) => {
      const served = await serveScoped(t)
      const peer = await RawPeer.dialWith(served.port, packet(served.port))
      assert.equal(parseAnswer(await peer.answer()).status, status)
      assert.equal(await bareStatus(t, packet), status)
      if (status === 101) return
      await within(peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, {})
    })
  }

  test('HTTP/1.0: is answered as by @fastify/websocket, and nothing is left', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dialWith(served.port, oldHandshake(served.port))
    const { status } = parseAnswer(await peer.answer())
    assert.equal(status, await bareStatus(t, oldHandshake))
    peer.destroy()
    await until(() => served.app.websocketLifecycle.stats().open === 0)
    await turns(20)
    assert.equal(served.events.at(-1), 'release')
    assert.equal(served.clock.pending, 0)
  })

  test('a path that cannot be decoded: Fastify answers without hooks, and the socket is ended', async (t) => {
    const served = await serveScoped(t, { handshakeTimeout: false })
    const peer = await RawPeer.dial(served.port, '/%E0%A4%A')
    assert.equal(parseAnswer(await peer.answer()).status, 400)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, [])
  })

  // Node 26 reads a body itself, and gives a stream that is no socket until it has come. Older ones take it for frames.
  for (const [what, header, ...packets] of [
    ['whole', { 'content-length': '5' }, 'hello'],
    ['not come yet', { 'content-length': '5' }],
    ['half of it', { 'content-length': '5' }, 'he'],
    ['in chunks', { 'transfer-encoding': 'chunked' }, '5\r\nhello\r\n0\r\n\r\n'],
  ] as const) {
    test(`a body (${what}): is refused with 400, and the socket is ended`, async (t) => {
      const served = await serveScoped(t)
      const { port } = served
      const head = RawPeer.handshake(port, '/ws', { ...header })
      const peer = await RawPeer.dialWith(port, head, ...packets)
      const { status, body } = parseAnswer(await peer.answer())
      const [name] = Object.keys(header)
      assert.equal(status, 400)
      assert.match(body, /"FST_ERR_WSL_HANDSHAKE_BODY"/)
      assert.match(body, new RegExp(`has a body \\(${name}\\)`, 'i'))
      await within(peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, { handshake: 1 }, [])
    })
  }

  test('a body of no length: is none', async (t) => {
    const served = await serveScoped(t)
    const head = RawPeer.handshake(served.port, '/ws', { 'content-length': '0' })
    const peer = await RawPeer.dialWith(served.port, head)
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
  })

  test('half a handshake: is no upgrade yet; the other half makes it one', async (t) => {
    const served = await serveScoped(t)
    const handshake = RawPeer.handshake(served.port, '/ws')
    const connected = once(served.app.server, 'connection')
    const peer = await RawPeer.dialWith(served.port, handshake.slice(0, 40))
    const [socket] = (await connected) as [Socket]
    await allRead(peer.socket, socket)
    await turns()
    assert.equal(served.clock.pending, 0)
    assert.deepEqual(served.events, [])
    peer.send(Buffer.from(handshake.slice(40)))
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    assert.deepEqual(served.events, ['hook', 'handler'])
  })

  test('half a handshake, and gone: leaves nothing', async (t) => {
    const served = await serveScoped(t)
    const connected = once(served.app.server, 'connection')
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/ws').slice(0, 40),
    )
    const [socket] = await connected
    const gone = new Promise((resolve) => socket.once('close', resolve))
    peer.reset()
    await gone
    await assertNothingLeft(served, {}, [])
  })
})

const requestAndHandshake = (port: number): string =>
  `GET /http HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n${RawPeer.handshake(port, '/ws')}`

describe('more than one thing in a packet', () => {
  test('a handshake and a message: the message is heard', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/ws'),
      RawPeer.frame(OPCODE.text, 'early'),
    )
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    assert.equal((await peer.nextOf(OPCODE.text))?.payload.toString(), 'echo early')
  })

  test('a handshake, a message and a FIN: the message is heard, and the connection was lost', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/ws'),
      RawPeer.frame(OPCODE.text, 'early'),
    )
    await peer.answer()
    peer.finish()
    const close = await within((served.sockets[0] as LifecycleSocket).closed, 'the end')
    assert.equal(close.messagesReceived, 1)
    assert.equal(close.cause, 'connection-lost')
  })

  test('two handshakes: the second is garbage to the first, which ends', async (t) => {
    const served = await serveScoped(t)
    const handshake = RawPeer.handshake(served.port, '/ws')
    const peer = await RawPeer.dialWith(served.port, handshake, handshake)
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    const close = await within((served.sockets[0] as LifecycleSocket).closed, 'the end')
    assert.equal(close.cause, 'protocol-error')
    assert.equal(served.app.websocketLifecycle.stats().opened, 1)
    await within(peer.ended(), 'the end of the socket')
    await until(() => served.clock.pending === 0)
    await turns()
    assert.equal(served.clock.pending, 0)
  })

  test('two handshakes of which the first is refused: one answer, and the socket is ended', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/nowhere'),
      RawPeer.handshake(served.port, '/ws'),
    )
    assert.equal(parseAnswer(await peer.answer()).status, 404)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 })
  })

  // @fastify/websocket cannot hand on an upgrade whose socket still carries another answer.
  test('a request and a handshake: the request is answered, and the deadline ends the socket', async (t) => {
    const served = await serveScoped(t, { handshakeTimeout: 1_000 })
    const peer = await RawPeer.dialWith(served.port, requestAndHandshake(served.port))
    assert.equal(parseAnswer(await peer.answer()).body, 'http')
    await served.clock.advance(1_200)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {}, [])
  })

  test('a request and a handshake: the request is answered, and the drain ends the socket', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dialWith(served.port, requestAndHandshake(served.port))
    assert.equal(parseAnswer(await peer.answer()).body, 'http')
    await within(served.app.close(), 'app.close()')
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })
})
