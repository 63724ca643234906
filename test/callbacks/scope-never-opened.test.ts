// The scope of an upgrade that never opens.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyRequest } from 'fastify'
import { fastifyWebsocketLifecycle, type LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf, serve } from '../support/servers/server.js'
import { serveHooked, assertNeverOpened } from '../support/servers/hooked.js'

test('the scope is the same in every hook, also from before the plugin, and on the socket', async (t) => {
  const seen: unknown[] = []
  const see = async (request: FastifyRequest): Promise<void> => void seen.push(request.wsScope)
  const app = Fastify()
  endWith(t, app)
  app.addHook('onRequest', see)
  await app.register(fastifyWebsocketLifecycle)
  app.addHook('onRequest', see)
  const hooks = { onRequest: see, preParsing: see, preValidation: see, preHandler: see }
  const onClose = (_socket: LifecycleSocket, request: FastifyRequest): void => void see(request)
  app.get('/', { websocket: true, ...hooks, onClose }, (socket, request) => {
    seen.push(request.wsScope, socket.scope, socket.request.wsScope)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const peer = await RawPeer.open(portOf(app))
  const [socket] = app.websocketLifecycle.connections
  peer.reset()
  await socket?.closed
  assert.equal(seen.length, 10)
  assert.ok(seen[0])
  for (const scope of seen) assert.equal(scope, seen[0])
})

test('a plain request has no scope, not even on a WebSocket route', async (t) => {
  const seen: unknown[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.addHook('onRequest', async (request) => void seen.push(request.wsScope))
      app.get('/plain', () => 'hello')
      app.get('/', { websocket: true }, () => {})
    },
  })
  assert.equal((await app.inject('/plain')).statusCode, 200)
  await app.inject('/')
  assert.equal((await fetch(`http://127.0.0.1:${portOf(app)}/plain`)).status, 200)
  assert.deepEqual(seen, [undefined, undefined, undefined])
})

const LEAVING = [
  { how: 'a RST', leave: (peer: RawPeer) => peer.reset() },
  { how: 'a FIN', leave: (peer: RawPeer) => peer.finish() },
] as const

for (const { how, leave } of LEAVING) {
  for (const where of ['before', 'after'] as const) {
    test(`a peer that leaves by ${how} in a hook from ${where} the plugin ends the scope at once`, async (t) => {
      const hold = gate()
      const { app, port, events, scope, released } = await serveHooked(t, () => hold.opened, where)
      const peer = await RawPeer.dial(port)
      const { signal } = await scope
      leave(peer)
      await released
      assert.equal(signal.aborted, true)
      assertNeverOpened(signal.reason)
      hold.open()
      await delivered()
      assert.deepEqual(events, ['abort', 'release'])
      assert.equal(app.websocketLifecycle.stats().opened, 0)
      assert.equal(app.websocketLifecycle.connections.size, 0)
      await peer.ended()
    })
  }
}

for (const where of ['before', 'after'] as const) {
  test(`a hook from ${where} the plugin that refuses with 401 ends the scope`, async (t) => {
    const { port, events, scope, released } = await serveHooked(
      t,
      () => {
        throw Object.assign(new Error('who are you?'), { statusCode: 401 })
      },
      where,
    )
    const peer = await RawPeer.dial(port)
    assert.match(await peer.answer(), /^HTTP\/1\.1 401 /)
    await released
    assertNeverOpened((await scope).signal.reason)
    assert.deepEqual(events, ['abort', 'release'])
    await peer.ended()
  })

  test(`a hook from ${where} the plugin that throws ends the scope`, async (t) => {
    const { port, events, released } = await serveHooked(
      t,
      () => {
        throw new Error('broken')
      },
      where,
    )
    const peer = await RawPeer.dial(port)
    assert.match(await peer.answer(), /^HTTP\/1\.1 500 /)
    await released
    assert.deepEqual(events, ['abort', 'release'])
    await peer.ended()
  })
}

test('a hook that answers by itself ends the scope', async (t) => {
  const events: string[] = []
  const released = gate()
  const app = await serve(t, {
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          preValidation: (request, reply) => {
            request.wsScope?.defer(() => released.open())
            void reply.code(403).send('no')
          },
        },
        () => void events.push('handler'),
      )
    },
  })
  const peer = await RawPeer.dial(portOf(app))
  assert.match(await peer.answer(), /^HTTP\/1\.1 403 /)
  await released.opened
  assert.deepEqual(events, [])
})

for (const path of ['/nowhere', '/plain']) {
  test(`an upgrade to ${path} ends the scope with a 404`, async (t) => {
    const { port, events, released } = await serveHooked(t, () => {})
    const peer = await RawPeer.dial(port, path)
    assert.match(await peer.answer(), /^HTTP\/1\.1 404 /)
    await released
    assert.deepEqual(events, ['abort', 'release'])
    await peer.ended()
  })
}

const BAD_HANDSHAKES = [
  { what: 'a bad key', headers: { 'sec-websocket-key': 'short' }, status: 400 },
  { what: 'a bad version', headers: { 'sec-websocket-version': '7' }, status: 400 },
  { what: 'an unknown protocol', headers: { 'sec-websocket-protocol': ',,' }, status: 400 },
] as const

for (const { what, headers, status } of BAD_HANDSHAKES) {
  test(`a handshake that ws refuses for ${what} ends the scope`, async (t) => {
    const { app, port, events, released } = await serveHooked(t, () => {})
    const peer = await RawPeer.dial(port, '/', headers)
    assert.match(await peer.answer(), new RegExp(`^HTTP/1\\.1 ${status} `))
    await released
    assert.deepEqual(events, ['abort', 'release'])
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    await peer.ended()
  })
}

test('a scope that is first touched after the peer left is born over: releases run at once', async (t) => {
  const hold = gate()
  const ran: string[] = []
  const done = gate()
  const entered = gate()
  const app = await serve(t, {
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          onRequest: async (request) => {
            entered.open()
            await hold.opened
            const scope = request.wsScope
            assert.ok(scope)
            ran.push(`aborted ${scope.signal.aborted}`)
            scope.defer(() => void ran.push('release'))
            ran.push('after defer')
            assertNeverOpened(scope.signal.reason)
            done.open()
          },
        },
        () => void ran.push('handler'),
      )
    },
  })
  const peer = await RawPeer.dial(portOf(app))
  await entered.opened
  peer.reset()
  await delivered()
  hold.open()
  await done.opened
  assert.deepEqual(ran, ['aborted true', 'release', 'after defer'])
})

test('releases of a request that never opened have cleanupTimeout, and failures are logged', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const ran: string[] = []
  const all = gate()
  const app = await serve(t, {
    clock,
    fastify,
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          cleanupTimeout: 300,
          preHandler: async ({ wsScope }) => {
            wsScope?.defer(() => {
              ran.push('first')
              all.open()
            })
            wsScope?.defer(() => {
              ran.push('second')
              throw new Error('of a release')
            })
            wsScope?.defer(function hang() {
              ran.push('third')
              return new Promise(() => {})
            })
            throw new Error('refused')
          },
        },
        () => {},
      )
    },
  })
  const peer = await RawPeer.dial(portOf(app))
  await peer.answer()
  await delivered()
  assert.deepEqual(ran, ['third'])
  await clock.advance(300)
  await all.opened
  assert.deepEqual(ran, ['third', 'second', 'first'])
  assert.equal(app.websocketLifecycle.stats().abandoned, 1)
  assert.ok(lines.some(({ step, level }) => step === 'release hang' && level === 40))
  assert.ok(
    lines.some(
      ({ err, level }) => (err as Error | undefined)?.message === 'of a release' && level === 50,
    ),
  )
})
