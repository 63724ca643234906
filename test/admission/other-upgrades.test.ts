// Requests that offer another protocol: who listens for `'upgrade'` gets them, and a server may ignore the offer.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { isTlsPass } from '../support/servers/tls-pass.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { Stranger } from '../support/peers/stranger.js'
import { until } from '../support/time/timed.js'
import { cert, key } from '../support/servers/tls.js'
import { surviveUncaught } from '../support/time/uncaught.js'

/** All that the offer must not change. */
function describeRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { upgrade: _, ...headers } = request.headers
  const { method, url, body = null } = request
  void reply.send({ method, url, headers, body })
}

function addRoutes(app: FastifyInstance): void {
  app.all('/plain', describeRequest)
  app.get('/ws', { websocket: true }, (socket) => socket.send('hello'))
}

const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'

/** A request, with the offer or without it. */
function request(offer: string, line = 'GET /plain', rest = '\r\n'): string {
  return `${line} HTTP/1.1\r\nHost: localhost\r\nX-Name: é\r\n${offer}${rest}`
}

/** So many whole answers of a socket, without their dates. */
async function answers(socket: Socket, count: number): Promise<string> {
  let bytes = ''
  socket.setEncoding('latin1')
  socket.on('data', (data: string) => {
    bytes += data
  })
  const isWhole = (): boolean => {
    const bodies = bytes.split(/HTTP\/1\.1 /).slice(1)
    const whole = bodies.filter((answer) => {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      return body.length === Number(/content-length: (\d+)/i.exec(head)?.[1])
    })
    return whole.length === count
  }
  await until(isWhole)
  socket.removeAllListeners('data')
  return bytes.replace(/^date: .*\r\n/gim, '')
}

async function ask(port: number, ...packets: string[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  for (const packet of packets) socket.write(packet, 'latin1')
  return socket
}

/** What an app of the same routes without any plugin answers. */
async function serveWithout(t: TestContext): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app)
  app.all('/plain', describeRequest)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

describe('a request that offers another protocol is answered as without the plugin:', () => {
  for (const [title, ...packets] of [
    ['h2c, as curl and Java offer it', request(H2C)],
    ['TLS/1.0', request('Connection: upgrade\r\nUpgrade: TLS/1.0\r\n')],
    ['a WebSocket of a version in its name', request('Connection: upgrade\r\nUpgrade: ws/13\r\n')],
    ['a query', request(H2C, 'GET /plain?a=b&c=%20')],
    ['a HEAD', request(H2C, 'HEAD /nothing')],
    ['a path that no route has', request(H2C, 'GET /nothing')],
    [
      'a body that comes with the head',
      request(H2C, 'POST /plain', 'Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'),
    ],
    [
      'a body in chunks',
      request(
        H2C,
        'POST /plain',
        'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      ),
    ],
    ['the end of the connection', request(`${H2C}Connection: close\r\n`)],
  ] as const) {
    test(title, async (t) => {
      const port = portOf(await serve(t, { routes: addRoutes }))
      const bare = portOf(await serveWithout(t))
      const isHead = title === 'a HEAD'
      const got = await Promise.all(
        [port, bare].map(async (port) => {
          const socket = await ask(port, ...packets)
          if (!isHead) return answers(socket, 1)
          const [data] = (await once(socket, 'data')) as [Buffer]
          return data.toString().replace(/^date: .*\r\n/gim, '')
        }),
      )
      assert.match(String(got[0]), /^HTTP\/1\.1 (?:200|404) /)
      // What there was to say of an upgrade is not said again to the route.
      assert.equal(got[0], got[1])
    })
  }

  test('a body that comes later, in pieces, and the next requests of the same connection', async (t) => {
    const app = await serve(t, { routes: addRoutes })
    const sockets: Socket[] = []
    app.server.on('connection', (raw: Socket) => sockets.push(raw))
    const socket = await ask(portOf(app))
    const counts: number[] = []
    for (let round = 0; round < 20; round++) {
      const rest = `Content-Type: text/plain\r\nContent-Length: 10\r\n\r\n01234`
      socket.write(request(H2C, 'POST /plain', rest), 'latin1')
      setImmediate(() => socket.write('56789'))
      assert.match(await answers(socket, 1), /"body":"0123456789"/)
      socket.write(request(''), 'latin1')
      assert.match(await answers(socket, 1), /"method":"GET"/)
      const [raw] = sockets
      counts.push(Number(raw?.listenerCount('end')) + Number(raw?.listenerCount('close')))
    }
    assert.deepEqual(counts.slice(1), counts.slice(0, -1), 'one round leaves nothing for the next')
    // Nor the first. One of TLS has listeners of node's beside.
    if (!isTlsPass) {
      assert.ok(Number(sockets[0]?.listenerCount('end')) <= 3)
      assert.ok(Number(sockets[0]?.listenerCount('close')) <= 3)
    }
    socket.destroy()
  })

  // Fastify makes a server for each of its addresses.
  test('a body, at the other address of localhost', async (t) => {
    const app = Fastify()
    endWith(t, app)
    await app.register(createPlugin())
    addRoutes(app)
    await app.listen({ host: 'localhost', port: 0 })
    const rest = 'Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'
    for (const { address, port } of app.addresses() as AddressInfo[]) {
      const socket = connect(port, address)
      await once(socket, 'connect')
      socket.write(request(H2C, 'POST /plain', rest), 'latin1')
      assert.match(await answers(socket, 1), /"body":"hello"/)
      socket.destroy()
    }
  })

  test('behind an answer that is still being written', async (t) => {
    const replies: FastifyReply[] = []
    const app = await serve(t, {
      routes: (app) => {
        addRoutes(app)
        app.get('/slow', (_request, reply) => void replies.push(reply))
      },
    })
    const socket = await ask(portOf(app), request('', 'GET /slow') + request(H2C))
    await until(() => replies.length === 1)
    replies[0]?.send('slow')
    assert.match(await answers(socket, 2), /slow.*"url":"\/plain"/s)
    // Where the connection ends with that, nothing is left to answer.
    const other = await ask(portOf(app), request('', 'GET /slow') + request(H2C))
    await until(() => replies.length === 2)
    replies[1]?.header('connection', 'close').send('slow')
    assert.match(await answers(other, 1), /slow/)
    await once(other, 'close')
    socket.destroy()
  })

  test('behind an answer to a peer that has been reset meanwhile: no error is thrown', async (t) => {
    const errors = surviveUncaught(t)
    const replies: FastifyReply[] = []
    const sockets: Socket[] = []
    const app = await serve(t, {
      before: (app) => app.server.on('connection', (raw: Socket) => sockets.push(raw)),
      routes: (app) => {
        addRoutes(app)
        app.get('/slow', (_request, reply) => void replies.push(reply))
      },
    })
    const socket = await ask(portOf(app), request('', 'GET /slow') + request(H2C))
    await until(() => replies.length === 1)
    socket.resetAndDestroy()
    await once(socket, 'close')
    replies[0]?.send('x'.repeat(1_000_000))
    await until(() => sockets[0]?.closed === true)
    assert.deepEqual(errors, [])
  })

  test('over TLS, and of a server of HTTP/2 that takes HTTP/1', async (t) => {
    const secure = Fastify({ https: { key, cert } })
    const both = Fastify({ http2: true, https: { key, cert, allowHTTP1: true } })
    for (const app of [secure, both] as unknown as FastifyInstance[]) {
      endWith(t, app)
      await app.register(createPlugin())
      addRoutes(app)
      await app.listen({ host: '127.0.0.1', port: 0 })
      const socket = connectTls({ port: portOf(app), rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      socket.write(request(H2C, 'POST /plain', 'Content-Length: 0\r\n\r\n'), 'latin1')
      assert.match(await answers(socket, 1), /"method":"POST"/)
      socket.write(request(H2C), 'latin1')
      assert.match(await answers(socket, 1), /"method":"GET"/)
      socket.destroy()
    }
  })
})

describe('on a WebSocket route', () => {
  test('another protocol gets what a plain request gets', async (t) => {
    const app = await serve(t, { routes: addRoutes })
    const socket = await ask(portOf(app), request(H2C, 'GET /ws'))
    const offered = await answers(socket, 1)
    socket.write(request('', 'GET /ws'), 'latin1')
    assert.equal(offered, await answers(socket, 1))
    assert.match(offered, /^HTTP\/1\.1 404 /)
    socket.destroy()
  })

  for (const upgrade of ['websocket, h2c', 'foo/2,WebSocket', 'h2c, \twebsocket ,']) {
    test(`a list with a WebSocket in it is an upgrade: ${JSON.stringify(upgrade)}`, async (t) => {
      const app = await serve(t, { routes: addRoutes })
      const peer = await RawPeer.open(portOf(app), '/ws', { upgrade })
      assert.equal((await peer.next())?.payload.toString(), 'hello')
      peer.destroy()
    })
  }
})

/** Older versions of Fastify find no route then, and run the hooks of that. */
const KNOWS_LONG_PARAMETERS = 'FST_ERR_MAX_PARAM_LENGTH' in Fastify.errorCodes

describe('an upgrade that Fastify answers before any hook has seen it', () => {
  const unseen = [
    ['a path that cannot be decoded', '/%zz', 400],
    ['a parameter that is too long', `/rooms/${'x'.repeat(101)}`, 414],
  ] as const
  for (const [title, path, status] of unseen.slice(0, KNOWS_LONG_PARAMETERS ? 2 : 1)) {
    for (const handles of [false, true]) {
      const by = handles ? 'by `frameworkErrors`' : 'by itself'
      test(`${title}, ${by}: counts as \`route\`, its socket ends`, async (t) => {
        const clock = new FakeClock()
        const app = await serve(t, {
          clock,
          options: { handshakeTimeout: false },
          ...(handles && {
            fastify: {
              frameworkErrors: (_error, _request, reply: FastifyReply) =>
                void reply.code(status).send('mine'),
            },
          }),
          routes: (app) => app.get('/rooms/:id', { websocket: true }, () => {}),
        })
        const stranger = await Stranger.dial(portOf(app), path)
        const bytes = await stranger.all()
        assert.match(bytes, new RegExp(`^HTTP/1\\.1 ${status} `))
        await until(() => clock.pending === 0)
        assert.equal(app.websocketLifecycle.stats().refused.route, 1)
      })
    }
  }

  test('whose peer does not read is cut after closeTimeout', async (t) => {
    const clock = new FakeClock()
    const sockets: Socket[] = []
    const app = await serve(t, {
      clock,
      options: { handshakeTimeout: false, closeTimeout: 1_000 },
      fastify: {
        frameworkErrors: (_error, _request, reply: FastifyReply) => {
          setImmediate(() => void reply.code(400).send('x'.repeat(32_000_000)))
        },
      },
      before: (app) => app.server.on('connection', (raw: Socket) => sockets.push(raw)),
      routes: addRoutes,
    })
    const peer = await RawPeer.dial(portOf(app), '/%zz')
    peer.socket.pause()
    await until(() => app.websocketLifecycle.stats().refused.route === 1)
    assert.equal(sockets[0]?.destroyed, false)
    await clock.advance(1_200)
    assert.equal(sockets[0]?.destroyed, true)
    assert.equal(clock.pending, 0)
    peer.destroy()
  })

  test('of injectWS ends too', async (t) => {
    const clock = new FakeClock()
    const app = await serve(t, { clock, options: { handshakeTimeout: false }, routes: addRoutes })
    await assert.rejects(app.injectWS('/%zz'), /Unexpected server response: 400/)
    await clock.advance(5_000)
    assert.equal(clock.pending, 0)
    await within(app.close(), 'app.close()')
  })

  test('by a hook from before the plugin is no refusal of ours', async (t) => {
    const app = await serve(t, {
      before: (app) => {
        app.addHook('onRequest', async (_request, reply) => {
          await new Promise(setImmediate)
          return reply.code(401).send('who are you?')
        })
      },
      routes: addRoutes,
    })
    const stranger = await Stranger.dial(portOf(app), '/ws')
    assert.match(await stranger.all(), /^HTTP\/1\.1 401 /)
    const { refused } = app.websocketLifecycle.stats()
    assert.equal(
      Object.values(refused).reduce((sum, count) => sum + count),
      0,
    )
  })

  test('by a constraint that fails later', async (t) => {
    const app = await serve(t, {
      options: { handshakeTimeout: false },
      before: (app) =>
        app.addConstraintStrategy({
          name: 'fails',
          storage: () => ({ get: () => null, set: () => {} }),
          validate: () => {},
          deriveConstraint: (_request: unknown, _context: unknown, done: (error: Error) => void) =>
            setImmediate(() => done(new Error('no idea'))),
        } as never),
      routes: (app) => app.get('/ws', { websocket: true, constraints: { fails: 'x' } }, () => {}),
    })
    const stranger = await Stranger.dial(portOf(app), '/ws')
    assert.match(await stranger.all(), /^HTTP\/1\.1 500 /)
    assert.equal(app.websocketLifecycle.stats().refused.route, 1)
  })
})
