// In which order an end goes, and who is called in it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import { type CloseInfo, fastifyWebsocketLifecycle, type LifecycleSocket } from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, endWith, portOf, serve } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

test('an end goes step by step, from the abort to the releases, closed, and being forgotten', async (t) => {
  const steps: string[] = []
  const settings: Array<() => void> = []
  /** A step that takes turns of the loop to settle: the next one must wait for it. */
  const slow = async (name: string): Promise<void> => {
    steps.push(`${name} begins`)
    await turns(2)
    steps.push(`${name} settles`)
  }
  const app = await serve(t, {
    options: {
      onUnexpectedClose: () => slow('unexpected of plugin'),
      onClose: () => slow('close of plugin'),
    },
    routes: (app) => {
      app.get(
        '/',
        {
          websocket: true,
          onUnexpectedClose: () => slow('unexpected of route'),
          onClose: () => slow('close of route'),
        },
        (socket) => {
          socket.scope.signal.addEventListener('abort', () => steps.push('abort'))
          socket.on('close', () => steps.push('close event'))
          socket.scope.defer(() => slow('first release'))
          socket.scope.defer(() => steps.push('second release'))
          socket.scope.defer(() => slow('third release'))
          void socket.closed.then(() => {
            steps.push(`closed, ${app.websocketLifecycle.connections.size} left`)
            for (const settle of settings) settle()
          })
        },
      )
    },
  })
  const over = new Promise<void>((resolve) => settings.push(resolve))
  const peer = await RawPeer.open(portOf(app))
  peer.send(closeFrame(4000))
  await over
  assert.deepEqual(steps, [
    'abort',
    'close event',
    'unexpected of route begins',
    'unexpected of route settles',
    'unexpected of plugin begins',
    'unexpected of plugin settles',
    'close of route begins',
    'close of route settles',
    'close of plugin begins',
    'close of plugin settles',
    'third release begins',
    'third release settles',
    'second release',
    'first release begins',
    'first release settles',
    'closed, 0 left',
  ])
})

test('until closed resolves, a connection is among the connections', async (t) => {
  const { opened, open } = gate()
  const { app, peer, socket } = await connectOne(t, { route: { onClose: () => opened } })
  peer.reset()
  await once(socket, 'close')
  await delivered()
  assert.deepEqual([...app.websocketLifecycle.connections], [socket])
  assert.equal(app.websocketLifecycle.stats().open, 1)
  open()
  await socket.closed
  assert.equal(app.websocketLifecycle.connections.size, 0)
  assert.equal(app.websocketLifecycle.stats().open, 0)
  assert.equal(app.websocketLifecycle.stats().opened, 1)
})

test("the cause is decided before any listener of ws's own close event runs", async (t) => {
  const seen: unknown[] = []
  const { app, peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('close', () => {
        seen.push(
          app.websocketLifecycle.stats().closed['connection-reset'],
          socket.scope.signal.reason,
        )
      })
      socket.prependListener('close', () => {
        seen.push(app.websocketLifecycle.stats().closed['connection-reset'])
      })
    },
  })
  void socket.scope.signal
  peer.reset()
  await socket.closed
  assert.equal(seen[0], 1)
  assert.equal(seen[1], 1)
})

test('the record is one frozen object for hooks and closed, and JSON carries all but the error', async (t) => {
  const given: CloseInfo[] = []
  const keep = (_socket: LifecycleSocket, _request: unknown, close: CloseInfo): void => {
    given.push(close)
  }
  const { peer, socket } = await connectOne(t, {
    options: { onClose: keep, onUnexpectedClose: keep },
    route: { onClose: keep, onUnexpectedClose: keep },
  })
  peer.send(closeFrame(4000, 'x'))
  const close = await socket.closed
  assert.equal(given.length, 4)
  for (const info of given) assert.equal(info, close)
  assert.ok(Object.isFrozen(close))
  assert.ok(Object.isFrozen(close.received))
  assert.ok(Object.isFrozen(close.sent))
  const { error: _, latency: __, history: ___, ...rest } = close
  assert.deepEqual(JSON.parse(JSON.stringify(close)), rest)
})

test("hooks of both levels run with the route's own instance as this, the route's first", async (t) => {
  const calls: unknown[] = []
  let child: unknown
  const app = await serve(t, {
    options: {
      onUnexpectedClose() {
        calls.push('plugin unexpected', this)
      },
      onClose() {
        calls.push('plugin close', this)
      },
      onHandlerError() {
        calls.push('plugin error', this)
      },
    },
    routes: (app) => {
      void app.register(async (instance) => {
        child = instance
        instance.get(
          '/',
          {
            websocket: true,
            onUnexpectedClose() {
              calls.push('route unexpected', this)
            },
            onClose() {
              calls.push('route close', this)
            },
            onHandlerError() {
              calls.push('route error', this)
            },
          },
          function (socket) {
            calls.push('handler', this)
            closed = socket.closed
            throw new Error('on purpose')
          },
        )
      })
    },
  })
  let closed: Promise<CloseInfo> | undefined
  const peer = await RawPeer.open(portOf(app))
  await peer.nextOf(OPCODE.close)
  peer.send(closeFrame(1011))
  await closed
  assert.deepEqual(
    calls.filter((_, index) => index % 2 === 0),
    [
      'handler',
      'route error',
      'plugin error',
      'route unexpected',
      'plugin unexpected',
      'route close',
      'plugin close',
    ],
  )
  assert.ok(calls.every((call, index) => index % 2 === 0 || call === child))
})

test('hooks get the socket and the request of the connection', async (t) => {
  const seen: unknown[] = []
  const { app, socket, peer } = await connectOne(t, {
    route: {
      onClose: (socket, request) => {
        seen.push(socket, request)
      },
    },
  })
  void app
  peer.reset()
  await socket.closed
  assert.deepEqual(seen, [socket, socket.request])
})

test("request.ip is the peer's address, still in onClose and in releases", async (t) => {
  const addresses: unknown[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onClose: (_socket, request) => {
        addresses.push(request.ip, request.socket.remoteAddress)
      },
    },
    handler: (socket) => socket.scope.defer(() => addresses.push(socket.request.ip)),
  })
  peer.reset()
  await socket.closed
  assert.deepEqual(addresses, ['127.0.0.1', '127.0.0.1', '127.0.0.1'])
})

test('with hooks and releases that all fail, each runs once, and closed resolves', async (t) => {
  const ran: string[] = []
  const fail = (name: string) => (): never => {
    ran.push(name)
    throw new Error(name)
  }
  const failLater = (name: string) => async (): Promise<never> => {
    ran.push(name)
    await turns(1)
    throw new Error(name)
  }
  const { peer, socket } = await connectOne(t, {
    options: { onUnexpectedClose: failLater('plugin unexpected'), onClose: fail('plugin close') },
    route: { onUnexpectedClose: fail('route unexpected'), onClose: failLater('route close') },
    handler: (socket) => {
      socket.scope.defer(fail('release 1'))
      socket.scope.defer(failLater('release 2'))
    },
  })
  peer.reset()
  const close = await socket.closed
  assert.equal(close.cause, 'connection-reset')
  assert.deepEqual(ran, [
    'route unexpected',
    'plugin unexpected',
    'route close',
    'plugin close',
    'release 2',
    'release 1',
  ])
})

test('a connection that errors and then closes gets one onClose', async (t) => {
  const { peer, socket, closes } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => {
        throw new Error('twice')
      })
    },
  })
  peer.send(frame(OPCODE.text, 'a'), frame(OPCODE.text, 'b'), RawPeer.bytes(0x83, 'c'))
  peer.finish()
  await socket.closed
  await delivered()
  assert.equal(closes.length, 1)
})

test("emitting 'close' by hand ends nothing", async (t) => {
  const { peer, socket, closes } = await connectOne(t)
  socket.emit('close', 1000, Buffer.alloc(0))
  await delivered()
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(closes.length, 0)
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
  socket.emit('close', 1000, Buffer.alloc(0))
  await delivered()
  assert.equal(closes.length, 1)
})

test('a peer that leaves while the handler awaits is noticed, without any listener', async (t) => {
  const { opened, open } = gate()
  const { peer, socket, events } = await connectOne(t, { handler: () => opened })
  peer.reset()
  await socket.closed
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  open()
})

test('closed can be asked for at any time, and gives the same record', async (t) => {
  const { peer, socket } = await connectOne(t)
  const before = socket.closed
  peer.reset()
  const close = await before
  assert.equal(await socket.closed, close)
})

test('an onClose that awaits closed waits for itself, which costs one cleanupTimeout', async (t) => {
  const clock = new FakeClock()
  const { app, peer, socket, events } = await connectOne(t, {
    clock,
    route: { cleanupTimeout: 300, onClose: (socket) => socket.closed },
  })
  peer.reset()
  await once(socket, 'close')
  await clock.advance(300)
  assert.equal((await socket.closed).cause, 'connection-reset')
  assert.equal(app.websocketLifecycle.stats().abandoned, 1)
  assert.equal(events.at(-1), 'release')
})

test("an app that destroys the raw stream itself reads as the network's doing", async (t) => {
  const causes: string[] = []
  for (const error of [undefined, new Error('of the app')]) {
    const { socket } = await connectOne(t)
    const raw = Reflect.get(socket, '_socket') as Socket
    raw.destroy(error)
    const close = await socket.closed
    causes.push(close.cause)
    assert.equal(close.error, error)
    assert.equal(socket.scope.signal.aborted, true)
  }
  assert.deepEqual(causes, ['connection-lost', 'connection-reset'])
})

test("Fastify's own onResponse runs as often as with @fastify/websocket alone", async (t) => {
  const counts: number[] = []
  for (const plugin of [fastifyWebsocket, fastifyWebsocketLifecycle]) {
    let responses = 0
    const app = Fastify()
    endWith(t, app)
    await app.register(plugin)
    const ended = gate()
    app.get('/', { websocket: true, onResponse: async () => void responses++ }, (socket) => {
      socket.on('close', ended.open)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const peer = await RawPeer.open(portOf(app))
    peer.send(closeFrame(1000))
    await ended.opened
    await delivered()
    counts.push(responses)
  }
  assert.equal(counts[1], counts[0])
})
