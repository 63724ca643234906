// Replies that the app takes (`reply.hijack()`) and answers in its own way: another handshake, a tunnel, raw bytes.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { WebSocketServer } from 'ws'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { within } from '../support/time/bound.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { serverSockets } from '../support/servers/server-sockets.js'
import { endWith, portOf, serve, type Setup } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { until } from '../support/time/timed.js'

/** More than sockets and kernels hold. */
const LONG = Buffer.alloc(4_000_000, 'x')

/** How the app answers; it sends `hello` first, and LONG when it is asked to. */
type Answers = (request: FastifyRequest, reply: FastifyReply) => unknown

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n'

const own = new WebSocketServer({ noServer: true })

const withOwnServer: Answers = (request) => {
  own.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), (socket) => {
    socket.send('hello')
    socket.on('message', () => request.raw.socket.end(LONG))
  })
}

const withOurServer: Answers = ({ server, raw }) => {
  server.websocketServer.handleUpgrade(raw, raw.socket, Buffer.alloc(0), (socket) => {
    socket.send('hello')
    socket.on('message', () => raw.socket.end(LONG))
  })
}

const withRawBytes: Answers = ({ raw: { socket } }) => {
  socket.write(`${SWITCHING}hello`)
  socket.once('data', () => socket.end(LONG))
}

const throughTunnel: Answers = async ({ raw: { socket } }) => {
  const upstream = createServer({ allowHalfOpen: true }, (far) => {
    far.write(`${SWITCHING}hello`)
    far.once('data', () => far.end(LONG))
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const near = connect({
    port: (upstream.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  })
  await once(near, 'connect')
  upstream.close()
  near.pipe(socket).pipe(near)
}

interface Case {
  readonly title: string
  readonly path?: string
  readonly setup: (take: Answers, given: Given) => Setup
}

/** What a hook takes before it hijacks, and the app that it does it in. */
interface Given {
  readonly released: string[]
}

const hijack =
  (take: Answers, { released }: Given) =>
  (request: FastifyRequest, reply: FastifyReply): void => {
    request.wsScope?.defer(() => released.push('released'))
    reply.hijack()
    void take(request, reply)
  }

const addRoute = (app: FastifyInstance): void => {
  app.get('/ws', { websocket: true }, () => assert.fail('the handler ran'))
}

const CASES: readonly Case[] = [
  {
    title: 'a hook from before the plugin',
    setup: (take, given) => ({
      before: (app) =>
        app.addHook('onRequest', (request, reply) => hijack(take, given)(request, reply)),
      routes: addRoute,
    }),
  },
  {
    title: 'a hook from after the plugin',
    setup: (take, given) => ({
      routes: (app) => {
        app.addHook('onRequest', (request, reply) => hijack(take, given)(request, reply))
        addRoute(app)
      },
    }),
  },
  {
    title: 'a hook of the route',
    setup: (take, given) => ({
      routes: (app) => {
        app.get(
          '/ws',
          {
            websocket: true,
            preHandler: (request, reply) => hijack(take, given)(request, reply),
          },
          () => assert.fail('the handler ran'),
        )
      },
    }),
  },
  {
    title: 'a not-found handler',
    path: '/own',
    setup: (take, given) => ({
      routes: (app) => {
        addRoute(app)
        app.setNotFoundHandler((request, reply) => hijack(take, given)(request, reply))
      },
    }),
  },
  {
    title: 'a hook, of a path that no route has',
    path: '/own',
    setup: (take, given) => ({
      routes: (app) => {
        addRoute(app)
        app.addHook('onRequest', (request, reply, done) => {
          if (request.url === '/own') hijack(take, given)(request, reply)
          else done()
        })
      },
    }),
  },
  {
    title: 'an error handler',
    setup: (take, given) => ({
      routes: (app) => {
        app.addHook('onRequest', async () => {
          throw new Error('handled')
        })
        app.setErrorHandler((_error, request, reply) => hijack(take, given)(request, reply))
        addRoute(app)
      },
    }),
  },
]

interface Taken {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly released: string[]
  readonly peer: RawPeer
  readonly sockets: ReadonlySet<Socket>
}

/** An upgrade that the app has answered itself. */
async function take(
  t: TestContext,
  { setup, path = '/ws' }: Case,
  answers: Answers,
): Promise<Taken> {
  const clock = new FakeClock()
  const released: string[] = []
  const app = await serve(t, {
    clock,
    options: { handshakeTimeout: 1_000, maxConnections: 1 },
    ...setup(answers, { released }),
  })
  const sockets = serverSockets(app)
  const socket = connect({ port: portOf(app), host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const peer = await within(RawPeer.over(socket, portOf(app), path), 'a handshake')
  return { app, clock, released, peer, sockets }
}

/** All bytes of a socket from now on. */
async function rest(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await within(once(socket, 'end'), 'the end')
  return Buffer.concat(chunks)
}

for (const [how, answers] of [
  ['with a ws server of its own', withOwnServer],
  ["with the plugin's ws server", withOurServer],
  ['with raw bytes', withRawBytes],
  ['through a tunnel', throughTunnel],
] as const) {
  describe(`an upgrade that the app answers ${how}`, () => {
    for (const found of CASES) {
      test(
        `in ${found.title}: is let go of, with all that it still has to read`,
        { skip: answers === throughTunnel && DIFFERS_OVER_TLS.halfOpen },
        async (t) => {
          const { app, clock, released, peer } = await take(t, found, answers)
          await clock.advance(60_000)
          assert.equal(peer.hasEnded, false)
          assert.deepEqual(released, [])
          // Nobody waits for it, and nobody ends it.
          await within(app.websocketLifecycle.drain(), 'the drain')
          assert.equal(peer.hasEnded, false)
          assert.equal(clock.pending, 0)
          // A FIN with data still on the way to its peer: all of it arrives.
          const arrived = rest(peer.socket)
          peer.socket.end(RawPeer.frame(1, 'the rest, please'))
          const bytes = await arrived
          assert.equal(bytes.subarray(-LONG.length).compare(LONG), 0)
          await until(() => released.length > 0)
          assert.deepEqual(released, ['released'])
          assert.equal(app.websocketLifecycle.stats().refused.handshake, 0)
        },
      )
    }
  })
}

test('one that the app answers long after the deadline of a handshake', async (t) => {
  const clock = new FakeClock()
  const requests: FastifyRequest[] = []
  const app = await serve(t, {
    clock,
    options: { handshakeTimeout: 1_000 },
    routes: (app) => {
      app.addHook('onRequest', (request, reply) => {
        reply.hijack()
        requests.push(request)
      })
      addRoute(app)
    },
  })
  const peer = await RawPeer.dial(portOf(app), '/ws')
  await until(() => requests.length === 1)
  await clock.advance(60_000)
  assert.equal(peer.hasEnded, false)
  const [request] = requests as [FastifyRequest]
  own.handleUpgrade(request.raw, request.raw.socket, Buffer.alloc(0), (socket) => {
    socket.send('at last')
  })
  await peer.answer()
  assert.equal((await peer.next())?.payload.toString(), 'at last')
  peer.destroy()
})

test('its place in a limit is given back when its socket is gone', async (t) => {
  const found = CASES[2] as Case
  const { app, peer, sockets } = await take(t, found, withRawBytes)
  const second = await RawPeer.dial(portOf(app), '/ws')
  assert.match(await second.answer(), /^HTTP\/1\.1 503 /)
  peer.socket.resetAndDestroy()
  await until(() => sockets.size === 0)
  assert.equal(app.websocketLifecycle.stats().refused.limit, 1)
  const third = await RawPeer.dial(portOf(app), '/ws')
  assert.match(await third.answer(), /^HTTP\/1\.1 101 /)
  third.socket.resetAndDestroy()
})

test('a hijacked reply cannot be refused any more', async (t) => {
  const errors: unknown[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.addHook('onRequest', (_request, reply) => {
        reply.hijack()
        try {
          reply.refuseWebsocket()
        } catch (error) {
          errors.push(error)
        }
        reply.raw.end('mine')
      })
      addRoute(app)
    },
  })
  const peer = await RawPeer.dial(portOf(app), '/ws')
  assert.match(await peer.answer(), /^HTTP\/1\.1 200 /)
  assert.equal((errors[0] as { code?: string }).code, 'FST_ERR_WSL_TOO_LATE_TO_REFUSE')
  await within(peer.ended(), 'the end of the socket')
})

test('a child may put a hijack of its own before ours', async (t) => {
  const clock = new FakeClock()
  const hijacked: unknown[] = []
  const app = await serve(t, {
    clock,
    options: { handshakeTimeout: 1_000 },
    routes: (app) => {
      void app.register(async (child) => {
        child.decorateReply('hijack', function () {
          hijacked.push(this.request.url)
          const parent = Object.getPrototypeOf(Object.getPrototypeOf(this)) as FastifyReply
          return parent.hijack.call(this)
        })
        child.addHook('onRequest', (request, reply) => {
          reply.hijack()
          void withRawBytes(request, reply)
        })
        addRoute(child)
      })
    },
  })
  const peer = await RawPeer.open(portOf(app), '/ws')
  await clock.advance(60_000)
  assert.deepEqual(hijacked, ['/ws'])
  assert.equal(peer.hasEnded, false)
  peer.destroy()
})

test('a plain reply is hijacked as ever', async (t) => {
  const app = await serve(t, {
    routes: (app) => {
      app.get('/plain', (_request, reply) => {
        reply.hijack()
        reply.raw.end('plain')
      })
    },
  })
  assert.equal((await app.inject('/plain')).body, 'plain')
})

/** An app whose child alone has the plugin. */
async function serveChild(t: TestContext, clock: FakeClock, answers: Answers): Promise<number> {
  const app = Fastify()
  endWith(t, app, clock)
  app.get('/own', (request, reply) => {
    reply.hijack()
    void answers(request, reply)
  })
  void app.register(async (child) => {
    await child.register(createPlugin(clock), { handshakeTimeout: 1_000 })
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return portOf(app)
}

describe('outside of the encapsulation of the plugin, where its hijack cannot be seen,', () => {
  test('a connection is let go of once it has written something', async (t) => {
    const clock = new FakeClock()
    const port = await serveChild(t, clock, withRawBytes)
    const peer = await RawPeer.open(port, '/own')
    await clock.advance(60_000)
    assert.equal(peer.hasEnded, false)
    assert.equal(clock.pending, 0)
    peer.destroy()
  })

  test('a FIN of its peer destroys nothing', async (t) => {
    const clock = new FakeClock()
    const port = await serveChild(t, clock, withRawBytes)
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    await RawPeer.over(socket, port, '/own')
    const arrived = rest(socket)
    socket.end('the rest, please')
    assert.equal((await arrived).subarray(-LONG.length).compare(LONG), 0)
  })
})
