// Upgrades that never become connections: what they get, and that nothing of them is left.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type {
  LifecycleOptions,
  LifecycleSocket,
  RefusalReason,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { Client, parseAnswer, refusal } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { type Gate, gate, never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { endWith, portOf, serve, type Setup } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** What happened: `hook`, `handler`, `abort`, `release`. */
  readonly events: string[]
  readonly sockets: LifecycleSocket[]
  /** Opens when a hook has seen an upgrade. */
  readonly seen: Gate
}

/** An app whose route `/ws` has a scope in use from the first hook on. */
async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
  route: LifecycleOptions & { preHandler?: (request: FastifyRequest) => Promise<void> } = {},
  setup: Setup = {},
): Promise<Served> {
  const clock = new FakeClock()
  const events: string[] = []
  const sockets: LifecycleSocket[] = []
  const seen = gate()
  const app = await serve(t, {
    clock,
    options: { keepalive: false, ...options },
    ...setup,
    routes: (app) => {
      app.addHook('onRequest', async (request) => {
        if (request.wsScope === undefined) return
        events.push('hook')
        request.wsScope.signal.addEventListener('abort', () => events.push('abort'))
        request.wsScope.defer(() => events.push('release'))
        seen.open()
      })
      setup.routes?.(app)
      app.get('/ws', { websocket: true, ...route }, (socket) => {
        events.push('handler')
        sockets.push(socket)
        socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
      })
      app.get('/http', async () => 'http')
    },
  })
  return { app, clock, port: portOf(app), events, sockets, seen }
}

/** That an upgrade has come to nothing, and that nothing of it is left. */
async function assertNothingLeft(
  { app, clock, events }: Served,
  counts: Partial<Record<RefusalReason, number>>,
  expected: readonly string[] = ['hook', 'abort', 'release'],
): Promise<void> {
  await until(() => events.length >= expected.length && clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, expected)
  const stats = app.websocketLifecycle.stats()
  assert.deepEqual(stats.refused, refused(counts))
  assert.equal(stats.opened, 0)
  assert.equal(stats.open, 0)
  assert.equal(clock.pending, 0)
}

describe('an upgrade while draining', () => {
  test('gets a 503 with Retry-After in the form of a Fastify error, and its socket is ended', async (t) => {
    const served = await start(t)
    await served.app.websocketLifecycle.drain()
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.match(String(headers['content-type']), /^application\/json/)
    assert.deepEqual(JSON.parse(body), {
      statusCode: 503,
      code: 'FST_ERR_WSL_DRAINING',
      error: 'Service Unavailable',
      message: 'The server is shutting down and takes no more WebSocket connections',
    })
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { draining: 1 }, [])
    assert.equal((await served.app.inject('/http')).body, 'http')
  })

  test('gets the Retry-After of the options', async (t) => {
    const { app, port } = await start(t, { drain: { retryAfter: 30 } })
    await app.websocketLifecycle.drain()
    assert.equal((await refusal(`ws://127.0.0.1:${port}/ws`)).headers['retry-after'], '30')
  })

  test('gets the same for whatever path it asks', async (t) => {
    const served = await start(t)
    await served.app.websocketLifecycle.drain()
    for (const path of ['/http', '/nowhere']) {
      const peer = await RawPeer.dial(served.port, path)
      assert.equal(parseAnswer(await peer.answer()).status, 503)
      await within(peer.ended(), 'the end of the socket')
    }
    await assertNothingLeft(served, { draining: 2 }, [])
  })

  test('gets it while app.close() waits for a slow preClose hook of another plugin', async (t) => {
    const theirs = gate()
    const began = gate()
    const served = await start(
      t,
      {},
      {},
      {
        before: (app) =>
          app.addHook('preClose', async () => {
            began.open()
            await theirs.opened
          }),
      },
    )
    const closing = served.app.close()
    await began.opened
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_DRAINING')
    await within(peer.ended(), 'the end of the socket')
    theirs.open()
    await within(closing, 'app.close()')
    await assertNothingLeft(served, { draining: 1 }, [])
  })

  test('does not keep app.close() waiting, though its peer neither reads nor leaves', async (t) => {
    const theirs = gate()
    const served = await start(
      t,
      {},
      {},
      { before: (app) => app.addHook('preClose', async () => theirs.opened) },
    )
    const closing = served.app.close()
    await turns()
    const socket = connect({ port: served.port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    socket.pause()
    socket.write(RawPeer.handshake(served.port, '/ws'))
    while (served.app.websocketLifecycle.stats().refused.draining === 0) await turns(1)
    theirs.open()
    await within(closing, 'app.close()')
    socket.destroy()
    await assertNothingLeft(served, { draining: 1 }, [])
  })

  test('through injectWS is refused too', async (t) => {
    const served = await start(t)
    await served.app.websocketLifecycle.drain()
    await assert.rejects(async () => served.app.injectWS('/ws'), /Unexpected server response: 503/)
    await assertNothingLeft(served, { draining: 1 }, [])
  })
})

async function assertTimesOut(served: Served, peer: RawPeer, timeout: number): Promise<void> {
  await served.seen.opened
  // A tick of the sweep is a tenth of the shortest timeout that it serves.
  await served.clock.advance(timeout - 10)
  assert.equal(peer.hasEnded, false)
  assert.equal(served.app.websocketLifecycle.stats().refused.handshake, 0)
  await served.clock.advance(10 + timeout / 5)
  const { status, headers, body } = parseAnswer(await peer.answer())
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], undefined)
  assert.deepEqual(JSON.parse(body), {
    statusCode: 503,
    code: 'FST_ERR_WSL_HANDSHAKE_TIMEOUT',
    error: 'Service Unavailable',
    message: `The WebSocket handshake took longer than its handshakeTimeout of ${timeout} ms`,
  })
  await within(peer.ended(), 'the end of the socket')
}

describe('an upgrade that takes longer than handshakeTimeout', () => {
  test('gets a 503 while a hook of the route never settles', async (t) => {
    const served = await start(t, { handshakeTimeout: 1_000 }, { preHandler: async () => never })
    await assertTimesOut(served, await RawPeer.dial(served.port, '/ws'), 1_000)
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('gets a 503 after ten seconds, unless told otherwise', async (t) => {
    const served = await start(t, {}, { preHandler: async () => never })
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(9_900)
    assert.equal(served.app.websocketLifecycle.stats().refused.handshake, 0)
    await served.clock.advance(500)
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await assertNothingLeft(served, { handshake: 1 })
  })

  test("gets it after the route's own timeout", async (t) => {
    const served = await start(
      t,
      { handshakeTimeout: 100 },
      { handshakeTimeout: 2_000, preHandler: async () => never },
    )
    await assertTimesOut(served, await RawPeer.dial(served.port, '/ws'), 2_000)
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('does not run the handler when the hook settles after all', async (t) => {
    const slow = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      { preHandler: async () => slow.opened },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    slow.open()
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('does not matter when the hook throws after all', async (t) => {
    const slow = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      {
        preHandler: async () => {
          await slow.opened
          throw new Error('too late')
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    slow.open()
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('gets it while a hook never settles that was added before the plugin', async (t) => {
    const hook = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(() => served.events.push('release of the early hook'))
            served.seen.open()
            await hook.opened
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    await assertNothingLeft(served, { handshake: 1 }, ['release of the early hook'])
    hook.open()
    await assertNothingLeft(served, { handshake: 1 }, ['release of the early hook'])
  })

  test('gets it while verifyClient never answers', async (t) => {
    const late: Array<(verified: boolean) => void> = []
    const served = await start(t, {
      handshakeTimeout: 1_000,
      websocket: { verifyClient: (_info, done) => void late.push(done) },
    })
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    for (const done of late) done(true)
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('is answered past the onSend and onError hooks, which may hang', async (t) => {
    const served = await start(
      t,
      { handshakeTimeout: 1_000, closeTimeout: 500 },
      { preHandler: async () => never },
      {
        routes: (app) => {
          app.addHook('onError', async () => never)
          app.addHook('onSend', async () => never)
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(1_100)
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 /)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('is answered while an onError hook of a refusal hangs', async (t) => {
    const failing = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      {
        preHandler: async () => {
          throw new Error('no')
        },
      },
      {
        routes: (app) =>
          app.addHook('onError', async () => {
            failing.open()
            await never
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await failing.opened
    await served.clock.advance(1_100)
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 .*HANDSHAKE_TIMEOUT/s)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('for no other reason is destroyed a closeTimeout after its refusal, where an onSend hook hangs', async (t) => {
    const sending = gate()
    const served = await start(
      t,
      { closeTimeout: 500 },
      {},
      {
        routes: (app) =>
          app.addHook('onSend', async () => {
            sending.open()
            await never
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/http')
    await sending.opened
    await served.clock.advance(400)
    assert.equal(peer.hasEnded, false)
    await served.clock.advance(200)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, [])
  })

  test('is refused by its deadline too where a hook answered, and an onSend hook hangs', async (t) => {
    const sending = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000, closeTimeout: 500 },
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (_request, reply) => reply.code(401).send('who?'))
          app.addHook('onSend', async () => {
            sending.open()
            await never
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await sending.opened
    await served.clock.advance(1_100)
    const answer = await peer.answer()
    assert.match(answer, /^HTTP\/1\.1 503 .*HANDSHAKE_TIMEOUT/s)
    assert.doesNotMatch(answer, /who\?/)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('waits for ever where handshakeTimeout is false', async (t) => {
    const slow = gate()
    const served = await start(
      t,
      { handshakeTimeout: false },
      { preHandler: async () => slow.opened },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(120_000)
    assert.equal(peer.hasEnded, false)
    slow.open()
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    assert.deepEqual(served.events, ['hook', 'handler'])
  })

  test('waits for ever on a route whose handshakeTimeout is false', async (t) => {
    const slow = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      { handshakeTimeout: false, preHandler: async () => slow.opened },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(20_000)
    slow.open()
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
  })

  test('through injectWS is refused too', async (t) => {
    const served = await start(t, { handshakeTimeout: 1_000 }, { preHandler: async () => never })
    const isRefused = assert.rejects(
      async () => served.app.injectWS('/ws'),
      /Unexpected server response: 503/,
    )
    await served.seen.opened
    await served.clock.advance(1_200)
    await isRefused
    await assertNothingLeft(served, { handshake: 1 })
  })
})

describe('a refusal', () => {
  test('is logged with its reason and route, and without the query', async (t) => {
    const { lines, fastify } = logLines()
    const served = await start(t, {}, {}, { fastify })
    const peer = await RawPeer.dial(served.port, '/http?token=secret')
    await peer.answer()
    await served.app.websocketLifecycle.drain()
    const other = await RawPeer.dial(served.port, '/ws?token=secret')
    await other.answer()
    const refusals = lines.filter(({ msg }) => msg === 'WebSocket upgrade refused')
    assert.deepEqual(
      refusals.map(({ reason }) => reason),
      ['route', 'draining'],
    )
    assert.doesNotMatch(JSON.stringify(refusals), /secret/)
  })

  test('by a hook of the app gets what the hook sends, and counts as none of ours', async (t) => {
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) =>
          app.addHook('onRequest', async (_request, reply) => {
            await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who?' })
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 401)
    assert.equal(headers['www-authenticate'], 'Bearer')
    assert.equal(body, '{"error":"who?"}')
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {})
  })

  test('by a hook that throws gets its error, and its socket is ended', async (t) => {
    const served = await start(
      t,
      {},
      {
        preHandler: async () => {
          throw Object.assign(new Error('not for you'), { statusCode: 403 })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 403)
    assert.equal(JSON.parse(body).message, 'not for you')
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {})
  })

  for (const [path, status] of [
    ['/refused', 401],
    ['/throws', 500],
    ['/http', 404],
    ['/nowhere', 404],
  ] as const) {
    test(`through injectWS (${path}) is over at once: the clock does not have to move`, async (t) => {
      const served = await start(
        t,
        {},
        {},
        {
          before: (app) => {
            app.addHook('onRequest', async (request) =>
              request.wsScope?.defer(() => served.events.push('early release')),
            )
          },
          routes: (app) => {
            const refuse = { preHandler: async () => Promise.reject(new Error('no')) }
            app.get('/throws', { websocket: true, ...refuse }, () => {})
            app.addHook('onRequest', async (request, reply) =>
              request.url === '/refused' ? reply.code(401).send('who?') : undefined,
            )
            app.get('/refused', { websocket: true }, () => {})
          },
        },
      )
      await assert.rejects(
        async () => served.app.injectWS(path),
        new RegExp(`Unexpected server response: ${status}`),
      )
      await until(() => served.clock.pending === 0)
      await turns()
      assert.equal(served.events.at(-1), 'early release')
      assert.equal(served.clock.pending, 0)
      const stats = served.app.websocketLifecycle.stats()
      assert.deepEqual(stats.refused, refused({ route: status === 404 ? 1 : 0 }))
      await within(served.app.close(), 'app.close()')
    })
  }

  test('of a route that does not exist ends the scope', async (t) => {
    const served = await start(t)
    const peer = await RawPeer.dial(served.port, '/nowhere')
    assert.equal(parseAnswer(await peer.answer()).status, 404)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 })
  })

  test('of a route that is no WebSocket route ends a scope that was used before the plugin', async (t) => {
    const served = await start(
      t,
      {},
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) =>
            request.wsScope?.defer(() => served.events.push('release')),
          )
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/http')
    assert.equal(parseAnswer(await peer.answer()).status, 404)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, ['release'])
  })
})

describe('a peer that leaves during the hooks', () => {
  for (const [how, leave] of [
    ['a reset', (peer: RawPeer) => peer.reset()],
    ['a FIN', (peer: RawPeer) => peer.finish()],
  ] as const) {
    test(`by ${how} ends its scope at once; its handler does not run`, async (t) => {
      const slow = gate()
      const verifyClient = (): boolean => served.events.push('verifyClient') > 0
      const served = await start(
        t,
        { websocket: { verifyClient } },
        { preHandler: async () => slow.opened },
      )
      const peer = await RawPeer.dial(served.port, '/ws')
      await served.seen.opened
      leave(peer)
      while (!served.events.includes('release')) await turns(1)
      await within(peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, {})
      slow.open()
      await assertNothingLeft(served, {})
    })

    test(`by ${how} ends its scope also in a hook that was added before the plugin`, async (t) => {
      const slow = gate()
      const served = await start(
        t,
        {},
        {},
        {
          before: (app) => {
            app.addHook('onRequest', async (request) => {
              request.wsScope?.defer(() => served.events.push('release'))
              served.seen.open()
              await slow.opened
            })
          },
        },
      )
      const peer = await RawPeer.dial(served.port, '/ws')
      await served.seen.opened
      leave(peer)
      while (!served.events.includes('release')) await turns(1)
      slow.open()
      await assertNothingLeft(served, {}, ['release'])
    })
  }
})

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
      const served = await start(t)
      const peer = await RawPeer.dialWith(served.port, packet(served.port))
      assert.equal(parseAnswer(await peer.answer()).status, status)
      assert.equal(await bareStatus(t, packet), status)
      if (status === 101) return
      await within(peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, {})
    })
  }

  test('HTTP/1.0: is answered as by @fastify/websocket, and nothing is left', async (t) => {
    const served = await start(t)
    const peer = await RawPeer.dialWith(served.port, oldHandshake(served.port))
    const { status } = parseAnswer(await peer.answer())
    assert.equal(status, await bareStatus(t, oldHandshake))
    peer.destroy()
    while (served.app.websocketLifecycle.stats().open > 0) await turns(1)
    await turns(20)
    assert.equal(served.events.at(-1), 'release')
    assert.equal(served.clock.pending, 0)
  })

  test('a path that cannot be decoded: Fastify answers without hooks, and the socket is ended', async (t) => {
    const served = await start(t, { handshakeTimeout: false })
    const peer = await RawPeer.dial(served.port, '/%E0%A4%A')
    assert.equal(parseAnswer(await peer.answer()).status, 400)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, [])
  })

  test('a body: what follows the head is read as frames, and ends the connection', async (t) => {
    const served = await start(t)
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/ws', { 'content-length': '5' }),
      'hello',
    )
    await peer.answer()
    await within(peer.ended(), 'the end of the socket')
    await turns(20)
    assert.equal(served.app.websocketLifecycle.stats().open, 0)
    assert.equal(served.clock.pending, 0)
  })

  test('half a handshake: is no upgrade yet; the other half makes it one', async (t) => {
    const served = await start(t)
    const handshake = RawPeer.handshake(served.port, '/ws')
    const peer = await RawPeer.dialWith(served.port, handshake.slice(0, 40))
    await turns(20)
    assert.equal(served.clock.pending, 0)
    assert.deepEqual(served.events, [])
    peer.send(Buffer.from(handshake.slice(40)))
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    assert.deepEqual(served.events, ['hook', 'handler'])
  })

  test('half a handshake, and gone: leaves nothing', async (t) => {
    const served = await start(t)
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
    const served = await start(t)
    const peer = await RawPeer.dialWith(
      served.port,
      RawPeer.handshake(served.port, '/ws'),
      RawPeer.frame(OPCODE.text, 'early'),
    )
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    assert.equal((await peer.nextOf(OPCODE.text))?.payload.toString(), 'echo early')
  })

  test('a handshake, a message and a FIN: the message is heard, and the connection was lost', async (t) => {
    const served = await start(t)
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
    const served = await start(t)
    const handshake = RawPeer.handshake(served.port, '/ws')
    const peer = await RawPeer.dialWith(served.port, handshake, handshake)
    assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
    const close = await within((served.sockets[0] as LifecycleSocket).closed, 'the end')
    assert.equal(close.cause, 'protocol-error')
    assert.equal(served.app.websocketLifecycle.stats().opened, 1)
    await within(peer.ended(), 'the end of the socket')
    await turns()
    assert.equal(served.clock.pending, 0)
  })

  test('two handshakes of which the first is refused: one answer, and the socket is ended', async (t) => {
    const served = await start(t)
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
    const served = await start(t, { handshakeTimeout: 1_000 })
    const peer = await RawPeer.dialWith(served.port, requestAndHandshake(served.port))
    assert.equal(parseAnswer(await peer.answer()).body, 'http')
    await served.clock.advance(1_200)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {}, [])
  })

  test('a request and a handshake: the request is answered, and the drain ends the socket', async (t) => {
    const served = await start(t)
    const peer = await RawPeer.dialWith(served.port, requestAndHandshake(served.port))
    assert.equal(parseAnswer(await peer.answer()).body, 'http')
    await within(served.app.close(), 'app.close()')
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })
})

describe('what is left of upgrades', () => {
  test('is nothing, after many that ended in every way', async (t) => {
    const slow = gate()
    const served = await start(
      t,
      { handshakeTimeout: 1_000 },
      {
        preHandler: async (request) => {
          if (request.headers['x-slow'] === 'yes') await slow.opened
        },
      },
    )
    const ends: Array<() => Promise<RawPeer>> = [
      async () => RawPeer.dial(served.port, '/nowhere'),
      async () => RawPeer.dial(served.port, '/http'),
      async () => RawPeer.dial(served.port, '/ws', { 'sec-websocket-key': '' }),
      async () => RawPeer.dial(served.port, '/ws', { 'x-slow': 'yes' }),
      async () => RawPeer.dial(served.port, '/ws'),
    ]
    const peers = await Promise.all(Array.from({ length: 50 }, (_, i) => ends[i % 5]!()))
    const client = await Client.open(`ws://127.0.0.1:${served.port}/ws`)
    await turns(20)
    for (const peer of peers) peer.destroy()
    client.ws.terminate()
    const count = (event: string): number =>
      served.events.filter((happened) => happened === event).length
    while (served.clock.pending > 0) await turns(1)
    // The hooks of those that have left go on: too late.
    slow.open()
    await turns(20)
    const stats = served.app.websocketLifecycle.stats()
    assert.equal(stats.open, 0)
    assert.equal(stats.opened, 11)
    assert.deepEqual(stats.refused, refused({ route: 20 }))
    // Every upgrade but those to the route that is no WebSocket route came as far as the hook.
    assert.equal(count('hook'), 41)
    assert.equal(count('release'), 41)
    assert.equal(count('abort'), 41)
    assert.equal(count('handler'), 11)
    await within(served.app.close(), 'app.close()')
    assert.equal(served.app.server.listenerCount('upgrade'), 0)
    assert.equal(served.clock.pending, 0)
  })
})
