// Handshakes that no client of today sends: what they get is what @fastify/websocket alone gives, and nothing stays.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import { within } from '../support/time/bound.js'
import { allRead } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import {
  assertNoneLeft,
  FOREIGN,
  occupy,
  type Refusing,
  type RefusingSetup,
  serveFrames,
} from '../support/servers/refusing.js'
import { endWith, portOf } from '../support/servers/server.js'
import {
  assertAnswered,
  assertClosedAtOnce,
  closeBytes,
  Stranger,
} from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'

type Packet = (port: number) => string

/** A handshake with other headers. */
const given =
  (headers: Record<string, string>, path = '/ws'): Packet =>
  (port) =>
    RawPeer.handshake(port, path, headers)

/** A handshake of which a part is something else. */
const changed =
  (from: string | RegExp, to: string): Packet =>
  (port) =>
    RawPeer.handshake(port, '/ws').replaceAll(from, to)

const method = (name: string): Packet => changed(/^GET/g, name)
const version = (name: string): Packet => changed('HTTP/1.1', name)
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** `0`: not a byte comes. */
const ODD: ReadonlyArray<[title: string, status: number, packet: Packet]> = [
  ['the method POST', 404, method('POST')],
  ['the method HEAD', 404, method('HEAD')],
  ['the method PUT', 404, method('PUT')],
  ['the method OPTIONS', 404, method('OPTIONS')],
  ['the method PROPFIND', 404, method('PROPFIND')],
  ['the method CONNECT', 0, method('CONNECT')],
  ['a method that does not exist', 400, method('FOO')],
  ['a method in lower case', 400, method('get')],
  ['Upgrade: WebSocket', 101, given({ upgrade: 'WebSocket' })],
  ['Upgrade: WEBSOCKET', 101, given({ upgrade: 'WEBSOCKET' })],
  ['an Upgrade with spaces around it', 101, given({ upgrade: '  websocket\t' })],
  ['an empty Upgrade', 404, given({ upgrade: '' })],
  ['no Upgrade', 404, changed(/upgrade: .*\r\n/g, '')],
  ['Connection: keep-alive, Upgrade', 101, given({ connection: 'keep-alive, Upgrade' })],
  ['Connection: close, upgrade', 101, given({ connection: 'close, upgrade' })],
  ['Connection: UPGRADE', 101, given({ connection: 'UPGRADE' })],
  ['Connection: upgraded', 404, given({ connection: 'upgraded' })],
  ['Connection: close', 404, given({ connection: 'close' })],
  ['no Connection', 404, changed(/connection: .*\r\n/g, '')],
  ['version 8', 101, given({ 'sec-websocket-version': '8' })],
  ['version 7', 400, given({ 'sec-websocket-version': '7' })],
  ['two versions', 400, given({ 'sec-websocket-version': '13, 8' })],
  ['an empty version', 400, given({ 'sec-websocket-version': '' })],
  ['no version', 400, changed(/sec-websocket-version: .*\r\n/g, '')],
  ['a key that is too short', 400, given({ 'sec-websocket-key': KEY.slice(1) })],
  ['a key that is too long', 400, given({ 'sec-websocket-key': `A${KEY}` })],
  ['two keys', 400, given({ 'Sec-WebSocket-Key': KEY })],
  ['a key with a NUL', 400, given({ 'sec-websocket-key': `\0${KEY.slice(1)}` })],
  ['an absolute target', 101, (port) => given({}, `http://127.0.0.1:${port}/ws`)(port)],
  ['a target with two slashes', 404, given({}, '//ws')],
  ['a target in upper case', 404, given({}, '/WS')],
  ['a target that is encoded', 101, given({}, '/%77s')],
  ['a target with a fragment', 101, given({}, '/ws?a#b')],
  ['a target with dots', 404, given({}, '/x/../ws')],
  ['the target *', 404, given({}, '*')],
  ['a target with a space', 400, given({}, '/ws x')],
  ['no target', 400, given({}, '')],
  ['a target of 12,000 characters', 404, given({}, `/${'x'.repeat(12_000)}`)],
  ['no Host', 101, changed(/host: .*\r\n/g, '')],
  ['two Hosts', 101, given({ Host: 'evil.example' })],
  ['Expect: 100-continue', 101, given({ expect: '100-continue' })],
  ['a header of 20,000 characters', 431, given({ 'x-long': 'x'.repeat(20_000) })],
  ['a header with a NUL', 400, given({ 'x-nul': 'a\0b' })],
  ['a header on two lines', 400, given({ 'x-fold': 'a\r\n b' })],
  ['a header without a colon', 400, changed(/\r\n\r\n$/g, '\r\ngarbage\r\n\r\n')],
  ['a negative length', 400, given({ 'content-length': '-1' })],
  ['two lengths', 400, given({ 'content-length': '1', 'Content-Length': '2' })],
  ['a length and chunks', 400, given({ 'content-length': '1', 'transfer-encoding': 'chunked' })],
  ['lines that end in LF', 400, changed('\r\n', '\n')],
  ['empty lines in front', 101, (port) => `\r\n\r\n${RawPeer.handshake(port, '/ws')}`],
  ['HTTP/1.2', 400, version('HTTP/1.2')],
  ['HTTP/2.0', 101, version('HTTP/2.0')],
  ['no HTTP at all', 404, () => 'GET /ws\r\n\r\n'],
  ['the preface of HTTP/2', 400, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['the hello of TLS', 400, () => '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
]

/** An app with room for one connection, of everybody and of each. */
async function serveOnePlace(t: TestContext, setup: RefusingSetup = {}): Promise<Refusing> {
  return serveFrames(t, {
    ...setup,
    options: { refuse: 'http', maxConnections: 1, ...setup.options },
    route: { maxConnections: 1, maxConnectionsPerKey: { max: 1 }, ...setup.route },
  })
}

async function serveBare(t: TestContext): Promise<number> {
  const app = Fastify()
  endWith(t, app)
  await app.register(fastifyWebsocket)
  app.get('/ws', { websocket: true }, () => {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  return portOf(app)
}

async function statusOf(stranger: Stranger): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await stranger.head())?.[1] ?? 0)
}

/** Resolves when the server has read all that the one stranger has sent. */
async function heard({ sockets }: Refusing, { peer }: Stranger): Promise<void> {
  const [socket] = sockets
  await allRead(peer.socket, socket)
}

/** That there is as much room as before anybody came. */
async function assertRoom(served: Refusing): Promise<void> {
  const { app, sockets, clock } = served
  await until(() => sockets.size === 0 && app.websocketLifecycle.stats().open === 0)
  await until(() => clock.pending === 0)
  await turns(20)
  served.events.length = 0
  const peer = await occupy(served)
  assert.equal(app.websocketLifecycle.connections.size, 1)
  peer.drop()
  await peer.closed
}

describe('a handshake with', () => {
  for (const [title, status, packet] of ODD) {
    test(`${title}: as with @fastify/websocket, ${status || 'nothing'}, and nothing is left`, async (t) => {
      const served = await serveOnePlace(t)
      const stranger = await Stranger.dialWith(served.port, packet(served.port))
      assert.equal(await statusOf(stranger), status)
      const bare = await serveBare(t)
      const other = await Stranger.dialWith(bare, packet(bare))
      assert.equal(await statusOf(other), status)
      stranger.peer.destroy()
      other.peer.destroy()
      await assertRoom(served)
    })
  }

  test('all of that, one after the other, leaves as much room as there was', async (t) => {
    const served = await serveOnePlace(t)
    for (const [, , packet] of ODD) {
      const stranger = await Stranger.dialWith(served.port, packet(served.port))
      await statusOf(stranger)
      stranger.peer.destroy()
      await until(() => served.sockets.size === 0)
    }
    await assertRoom(served)
  })
})

const plain = 'GET /http HTTP/1.1\r\nhost: localhost\r\n\r\n'
const post = (body: string): string =>
  `POST /post HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const withPost: RefusingSetup = {
  routes: (app) => app.post('/post', async ({ body }) => `got ${String(body)}`),
}

describe('two requests in one packet', () => {
  test('a POST and a handshake: the POST is answered, the deadline ends the socket', async (t) => {
    const served = await serveOnePlace(t, {
      ...withPost,
      options: { handshakeTimeout: 500 },
    })
    const { port } = served
    const stranger = await Stranger.dialWith(port, post('hello'), RawPeer.handshake(port, '/ws'))
    assert.equal(await statusOf(stranger), 200)
    await served.clock.advance(600)
    const bytes = await stranger.all()
    assert.match(bytes, /got hello$/)
    assert.deepEqual(bytes.match(/HTTP\/1\.1/g)?.length, 1)
    await assertRoom(served)
  })

  test('a request whose body looks like a handshake: is no upgrade', async (t) => {
    const served = await serveOnePlace(t, withPost)
    const inner = RawPeer.handshake(served.port, '/ws')
    const stranger = await Stranger.dialWith(served.port, post(inner))
    assert.equal(await statusOf(stranger), 200)
    await stranger.has((await stranger.head()).length + 4 + inner.length)
    assert.ok(stranger.bytes.endsWith(`got ${inner}`))
    assert.deepEqual(served.events, [])
    stranger.peer.destroy()
    await assertRoom(served)
  })

  test('a handshake and a request: the request is no frame, and ends the connection', async (t) => {
    const served = await serveOnePlace(t)
    const { port } = served
    const stranger = await Stranger.dialWith(port, RawPeer.handshake(port, '/ws'), plain)
    assert.equal(await statusOf(stranger), 101)
    const bytes = await stranger.all()
    assert.equal(bytes, (await stranger.head()) + closeBytes(1002, 'protocol-error'))
    await assertRoom(served)
    assert.equal(served.app.websocketLifecycle.stats().closed['protocol-error'], 1)
  })

  for (const [what, path, headers, status] of [
    ['is refused for its origin', '/ws', FOREIGN, 403],
    ['is for no WebSocket route', '/http', {}, 404],
    ['is for no route', '/nowhere', {}, 404],
    ['is wrong', '/ws', { 'sec-websocket-key': 'garbage' }, 400],
  ] as const) {
    for (const [second, packet] of [
      ['a request', () => plain],
      ['a handshake', given({})],
    ] as const) {
      test(`a handshake that ${what} and ${second}: one answer, and no trace`, async (t) => {
        const served = await serveOnePlace(t)
        const { port } = served
        const handshake = RawPeer.handshake(port, path, headers)
        const stranger = await Stranger.dialWith(port, handshake, packet(port))
        await assertAnswered(stranger, status)
        assert.equal(served.app.websocketLifecycle.stats().opened, 0)
        await assertRoom(served)
      })
    }
  }

  test('a handshake that is closed at once and another: that is no frame, and is not answered', async (t) => {
    const served = await serveOnePlace(t, { options: { refuse: 'close-frame' } })
    const { port } = served
    const refused = RawPeer.handshake(port, '/ws', FOREIGN)
    const stranger = await Stranger.dialWith(port, refused, RawPeer.handshake(port, '/ws'))
    assert.equal(await stranger.all(), (await stranger.head()) + closeBytes(3003, 'origin'))
    await assertRoom(served)
  })

  test('a handshake behind a request that waits, while draining: no answer takes its place', async (t) => {
    let answer: (() => void) | undefined
    const served = await serveOnePlace(t, {
      routes: (app) => {
        app.get('/slow', async () => {
          await new Promise<void>((resolve) => {
            answer = resolve
          })
          return 'slow'
        })
      },
    })
    await served.app.websocketLifecycle.drain()
    const { port } = served
    const slow = plain.replace('/http', '/slow')
    const stranger = await Stranger.dialWith(port, slow, RawPeer.handshake(port, '/ws'))
    await until(() => answer !== undefined)
    await heard(served, stranger)
    answer?.()
    await served.clock.advance(20_000)
    assert.doesNotMatch(await stranger.all(), /^HTTP\/1\.1 503/)
  })

  test('a handshake behind an answer under way, while draining: nothing is written into it', async (t) => {
    const served = await serveOnePlace(t, {
      routes: (app) => {
        app.get('/events', (_request, reply) => {
          reply.hijack()
          reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
          reply.raw.write('data: 1\n\n')
        })
      },
    })
    const { port } = served
    const stranger = await Stranger.dialWith(port, plain.replace('/http', '/events'))
    const head = await stranger.head()
    const chunk = '9\r\ndata: 1\n\n\r\n'
    await stranger.has(head.length + chunk.length)
    await served.app.websocketLifecycle.drain()
    stranger.peer.send(Buffer.from(RawPeer.handshake(port, '/ws')))
    await heard(served, stranger)
    await served.clock.advance(20_000)
    assert.equal(await stranger.all(), head + chunk)
  })
})

describe('a handshake over HTTP/1.0', () => {
  test('is closed at once like any other, where it is refused', async (t) => {
    const served = await serveFrames(t)
    const packet = RawPeer.handshake(served.port, '/ws', FOREIGN).replace('HTTP/1.1', 'HTTP/1.0')
    await assertClosedAtOnce(await Stranger.dialWith(served.port, packet), 3003)
    await assertRoom(served)
  })
})

describe('half a handshake', () => {
  test('that never gets its other half is ended by the headersTimeout of node', async (t) => {
    const served = await serveOnePlace(t, {
      fastify: { http: { headersTimeout: 200, connectionsCheckingInterval: 50 } } as object,
    })
    const half = RawPeer.handshake(served.port, '/ws').slice(0, -10)
    const stranger = await Stranger.dialWith(served.port, half)
    assert.match(await stranger.all(), /^HTTP\/1\.1 408 /)
    await assertNoneLeft(served, {})
  })

  test('that comes byte by byte is a handshake all the same', async (t) => {
    const served = await serveOnePlace(t)
    const [first = '', ...rest] = RawPeer.handshake(served.port, '/ws')
    const stranger = await Stranger.dialWith(served.port, first)
    for (const byte of rest) {
      stranger.peer.send(Buffer.from(byte))
      await heard(served, stranger)
    }
    assert.equal(await statusOf(stranger), 101)
    stranger.peer.send(RawPeer.frame(OPCODE.text, 'hello'))
    await stranger.has((await stranger.head()).length + 12)
    assert.match(stranger.bytes, /echo hello$/)
    stranger.peer.destroy()
    await assertRoom(served)
  })

  test('of hundreds that hang is no upgrade, and in nobody’s way', async (t) => {
    const served = await serveOnePlace(t)
    const half = RawPeer.handshake(served.port, '/ws').slice(0, 40)
    const strangers = await Promise.all(
      Array.from({ length: 300 }, async () => Stranger.dialWith(served.port, half)),
    )
    await until(() => served.sockets.size === 300)
    assert.equal(served.clock.pending, 0)
    await occupy(served)
    for (const { peer } of strangers) peer.destroy()
    await until(() => served.sockets.size === 1)
    await within(served.app.websocketLifecycle.drain(), 'the drain')
  })
})
