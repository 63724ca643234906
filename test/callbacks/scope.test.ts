import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import {
  type ConnectionScope,
  ConnectionClosedError,
  fastifyWebsocketLifecycle,
  type LifecycleSocket,
} from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, endWith, portOf, serve } from '../support/servers/server.js'

const { closeFrame } = RawPeer

interface Hooked {
  readonly app: FastifyInstance
  readonly port: number
  /** What happened, in order. */
  readonly events: string[]
  /** Resolves when the request's scope is there. */
  readonly scope: Promise<ConnectionScope>
  /** Resolves when its releases have run. */
  readonly released: Promise<void>
}

/** An app whose hook, added before the plugin, takes the scope and then does as it is told. */
async function serveHooked(
  t: TestContext,
  act: (request: FastifyRequest) => unknown,
  where: 'before' | 'after' = 'before',
): Promise<Hooked> {
  const events: string[] = []
  const released = gate()
  let give: ((scope: ConnectionScope) => void) | undefined
  const scope = new Promise<ConnectionScope>((resolve) => {
    give = resolve
  })
  const app = Fastify()
  endWith(t, app)
  const hook = async (request: FastifyRequest): Promise<void> => {
    const { wsScope } = request
    assert.ok(wsScope)
    wsScope.signal.addEventListener('abort', () => events.push('abort'))
    wsScope.defer(() => {
      events.push('release')
      released.open()
    })
    give?.(wsScope)
    await act(request)
  }
  if (where === 'before') app.addHook('onRequest', hook)
  // No deadline may strike: what ends here ends by itself.
  await app.register(createPlugin(new FakeClock()))
  const onRequest = where === 'after' ? hook : async (): Promise<void> => {}
  app.get('/', { websocket: true, onRequest, onClose: () => void events.push('onClose') }, () => {
    events.push('handler')
  })
  app.get('/plain', () => 'hello')
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, port: portOf(app), events, scope, released: released.opened }
}

function assertNeverOpened(reason: unknown): void {
  assert.ok(reason instanceof ConnectionClosedError)
  assert.equal(reason.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
  assert.equal(reason.closeCause, undefined)
}

test('the scope is there in hooks that were added before the plugin, the same in every hook and on the socket', async (t) => {
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
    test(`a peer that leaves by ${how} during an async hook from ${where} the plugin ends the scope at once; no handler runs, no onClose is owed`, async (t) => {
      const hold = gate()
      const { app, port, events, scope, released } = await serveHooked(t, () => hold.opened, where)
      const peer = await RawPeer.dial(port)
      const { signal } = await scope
      leave(peer)
      await released
      assert.equal(signal.aborted, true)
      assertNeverOpened(signal.reason)
      hold.open()
      await turns()
      assert.deepEqual(events, ['abort', 'release'])
      assert.equal(app.websocketLifecycle.stats().opened, 0)
      assert.equal(app.websocketLifecycle.connections.size, 0)
      await peer.ended()
    })
  }
}

for (const where of ['before', 'after'] as const) {
  test(
    `a hook from ${where} the plugin that refuses with 401 ends the scope`,
    { timeout: 5_000 },
    async (t) => {
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
    },
  )

  test(
    `a hook from ${where} the plugin that throws ends the scope`,
    { timeout: 5_000 },
    async (t) => {
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
    },
  )
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
  await turns()
  hold.open()
  await done.opened
  assert.deepEqual(ran, ['aborted true', 'release', 'after defer'])
})

test('releases of a request that never opened are bounded by cleanupTimeout, and each failure is logged', async (t) => {
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
  await turns()
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

test('releases deferred in hooks and in the handler are one stack', async (t) => {
  const order: string[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          onRequest: async ({ wsScope }) => wsScope?.defer(() => order.push('of the hook')),
        },
        (socket) => socket.scope.defer(() => order.push('of the handler')),
      )
    },
  })
  const peer = await RawPeer.open(portOf(app))
  const [socket] = app.websocketLifecycle.connections
  peer.reset()
  await socket?.closed
  assert.deepEqual(order, ['of the handler', 'of the hook'])
})

test('what use() is given is disposed of: asyncDispose before dispose, awaited, with this', async (t) => {
  const order: unknown[] = []
  const { peer, socket } = await connectOne(t)
  const disposable = {
    [Symbol.dispose]() {
      order.push('sync', this === disposable)
    },
  }
  const asyncDisposable = {
    async [Symbol.asyncDispose]() {
      await turns(3)
      order.push('async', this === asyncDisposable)
    },
  }
  const both = {
    [Symbol.dispose]: () => void order.push('wrong'),
    [Symbol.asyncDispose]: async () => void order.push('right'),
  }
  assert.equal(socket.scope.use(disposable), disposable)
  assert.equal(socket.scope.use(asyncDisposable), asyncDisposable)
  assert.equal(socket.scope.use(both), both)
  peer.reset()
  await socket.closed
  assert.deepEqual(order, ['right', 'async', true, 'sync', true])
})

test('wrong arguments of defer() and use() are a TypeError that names what was given', async (t) => {
  const { peer, socket } = await connectOne(t)
  const { scope } = socket
  for (const wrong of [undefined, null, 42, 'x', {}, Promise.resolve()]) {
    assert.throws(() => scope.defer(wrong as never), { name: 'TypeError', message: /`release`/ })
  }
  for (const wrong of [undefined, null, 42, 'x', {}, { [Symbol.dispose]: 'no function' }]) {
    assert.throws(() => scope.use(wrong as never), { name: 'TypeError', message: /`resource`/ })
  }
  peer.destroy()
})

test('a release that is added after the end runs at once, one that is added during it runs in its turn', async (t) => {
  const order: string[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.scope.defer(() => order.push('first'))
      socket.scope.defer(async () => {
        socket.scope.defer(() => order.push('added during'))
        await turns(2)
        order.push('second')
      })
    },
  })
  peer.reset()
  await socket.closed
  assert.deepEqual(order, ['second', 'added during', 'first'])
  let ran = false
  socket.scope.defer(() => {
    ran = true
  })
  assert.equal(ran, true)
})

test('the signal is one object, aborts once, and says why', async (t) => {
  const { peer, socket } = await connectOne(t)
  const { signal } = socket.scope
  let aborts = 0
  signal.addEventListener('abort', () => aborts++)
  peer.send(closeFrame(1000))
  await socket.closed
  assert.equal(socket.scope.signal, signal)
  assert.equal(aborts, 1)
  assert.ok(signal.reason instanceof ConnectionClosedError)
  assert.equal(signal.reason.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
  assert.equal(signal.reason.closeCause, 'client-close')
  assert.equal(signal.reason.name, 'ConnectionClosedError')
  assert.throws(() => signal.throwIfAborted(), signal.reason)
})

test('the signal has aborted before the transport is gone', async (t) => {
  const { peer, socket } = await connectOne(t)
  peer.socket.allowHalfOpen = true
  const aborted = once(socket.scope.signal, 'abort')
  peer.finish()
  await aborted
  let isOver = false
  void socket.closed.then(() => (isOver = true))
  assert.equal(isOver, false)
  assert.equal((await socket.closed).cause, 'connection-lost')
})

const CAUSES = [
  { cause: 'server-close', end: (socket: LifecycleSocket) => socket.close(1000) },
  { cause: 'server-terminate', end: (socket: LifecycleSocket) => socket.terminate() },
  { cause: 'connection-reset', end: (_: LifecycleSocket, peer: RawPeer) => peer.reset() },
  { cause: 'connection-lost', end: (_: LifecycleSocket, peer: RawPeer) => peer.finish() },
  {
    cause: 'protocol-error',
    end: (_: LifecycleSocket, peer: RawPeer) => peer.send(RawPeer.bytes(0x83)),
  },
] as const

for (const { cause, end } of CAUSES) {
  test(`whoever waits with the signal is freed by a ${cause}, which it names`, async (t) => {
    const { peer, socket } = await connectOne(t)
    const waiting = once(new EventEmitter(), 'never', { signal: socket.scope.signal })
    end(socket, peer)
    await assert.rejects(waiting, (error: Error) => {
      assert.equal(error.name, 'AbortError')
      assert.ok(error.cause instanceof ConnectionClosedError)
      assert.equal(error.cause.closeCause, cause)
      return true
    })
    peer.destroy()
  })
}

test('a fetch with the signal is given up when the peer leaves', async (t) => {
  const slow = gate()
  const app = await serve(t, {
    routes: (app) => {
      app.get('/slow', async () => slow.opened)
    },
  })
  const { peer, socket } = await connectOne(t)
  const fetching = fetch(`http://127.0.0.1:${portOf(app)}/slow`, { signal: socket.scope.signal })
  peer.reset()
  await assert.rejects(fetching, {
    code: 'FST_ERR_WSL_CONNECTION_CLOSED',
    closeCause: 'connection-reset',
  })
  slow.open()
})

test('a peer that resets while the 101 is being decided ends nothing twice', async (t) => {
  const { app, port, events, released } = await serveHooked(
    t,
    () => new Promise((resolve) => setImmediate(resolve)),
  )
  const raw = connect(port, '127.0.0.1')
  await once(raw, 'connect')
  raw.write(RawPeer.handshake(port, '/'), () => raw.resetAndDestroy())
  await released
  await turns()
  assert.equal(events.filter((event) => event === 'release').length, 1)
  const { opened, open } = app.websocketLifecycle.stats()
  assert.equal(events.filter((event) => event === 'onClose').length, opened)
  assert.equal(open, 0)
})
