// What can be added to a scope, and when its signal aborts.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { ConnectionClosedError, type LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'
import { serveHooked } from '../support/servers/hooked.js'

const { closeFrame } = RawPeer

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

test('a release added after the end runs at once, one added during it in its turn', async (t) => {
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
  await delivered()
  assert.equal(events.filter((event) => event === 'release').length, 1)
  const { opened, open } = app.websocketLifecycle.stats()
  assert.equal(events.filter((event) => event === 'onClose').length, opened)
  assert.equal(open, 0)
})
