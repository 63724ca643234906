import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import { type CloseInfo, fastifyWebsocketLifecycle, type LifecycleSocket } from '../../lib/index.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, endWith, portOf, serve, serveOne } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

test('an end goes step by step: abort, close event, onUnexpectedClose, onClose, releases last in first out, closed, forgotten', async (t) => {
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
  await turns()
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
  const { error: _, latency: __, ...rest } = close
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
  await turns()
  assert.equal(closes.length, 1)
})

test("emitting 'close' by hand ends nothing", async (t) => {
  const { peer, socket, closes } = await connectOne(t)
  socket.emit('close', 1000, Buffer.alloc(0))
  await turns()
  assert.equal(socket.readyState, socket.OPEN)
  assert.equal(closes.length, 0)
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
  socket.emit('close', 1000, Buffer.alloc(0))
  await turns()
  assert.equal(closes.length, 1)
})

test('a peer that leaves while the handler awaits is noticed, and a late listener is not needed', async (t) => {
  const { opened, open } = gate()
  const { peer, socket, events } = await connectOne(t, { handler: () => opened })
  peer.reset()
  await socket.closed
  assert.deepEqual(events, ['abort', 'unexpected', 'close', 'release'])
  open()
})

test('a step that overruns cleanupTimeout is left behind, counted and logged with its name and route', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const { opened: never, open: settle } = gate()
  const ran: string[] = []
  const { app, peer, socket } = await connectOne(t, {
    clock,
    fastify,
    route: {
      cleanupTimeout: 200,
      onUnexpectedClose: () => never,
      onClose: () => {
        ran.push('close')
        return never
      },
    },
    handler: (socket) => {
      socket.scope.defer(() => ran.push('release'))
      socket.scope.defer(function closeFeed() {
        ran.push('closeFeed')
        return never
      })
    },
  })
  peer.reset()
  await once(socket, 'close')
  await turns()
  assert.deepEqual(ran, [])
  await clock.advance(199)
  assert.deepEqual(ran, [])
  await clock.advance(1)
  assert.deepEqual(ran, ['close'])
  await clock.advance(200)
  assert.deepEqual(ran, ['close', 'closeFeed'])
  await clock.advance(200)
  assert.deepEqual(ran, ['close', 'closeFeed', 'release'])
  await socket.closed
  assert.equal(app.websocketLifecycle.stats().abandoned, 3)
  const logged = lines.filter((line) => /left behind/.test(String(line['msg'])))
  assert.deepEqual(
    logged.map(({ level, id, route, step }) => ({ level, id, route, step })),
    ['onUnexpectedClose', 'onClose', 'release closeFeed'].map((step) => ({
      level: 40,
      id: socket.id,
      route: '/',
      step,
    })),
  )
  settle()
})

test('what a step that was left behind does later is only logged', async (t) => {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  let fail: ((error: Error) => void) | undefined
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    clock,
    fastify,
    route: {
      cleanupTimeout: 200,
      onClose: () =>
        new Promise((_resolve, reject) => {
          fail = reject
        }),
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
  })
  peer.reset()
  await once(socket, 'close')
  await turns()
  await clock.advance(200)
  await socket.closed
  fail?.(new Error('much later'))
  await turns()
  assert.deepEqual(told, [])
  const line = lines.find(({ err }) => (err as Error | undefined)?.message === 'much later')
  assert.equal(line?.['level'], 50)
  assert.equal(line?.['step'], 'onClose')
})

test('the record counts messages, and bytes on the wire from the 101 on', async (t) => {
  const { peer, socket } = await connectOne(t)
  const inbound = [
    frame(OPCODE.text, 'one'),
    frame(OPCODE.binary, Buffer.alloc(300)),
    frame(OPCODE.ping, 'p'),
  ]
  const halves = [frame(OPCODE.text, 'th', false), frame(OPCODE.continuation, 'ree')]
  peer.send(...inbound, ...halves)
  socket.send('hello')
  socket.send(Buffer.alloc(200))
  socket.send('fr', { fin: false })
  socket.send('agments', { fin: true })
  await peer.nextOf(OPCODE.pong)
  peer.send(closeFrame(1000))
  const close = await socket.closed
  assert.equal(close.messagesReceived, 3)
  assert.equal(close.messagesSent, 3)
  assert.equal(close.bytesReceived, Buffer.concat([...inbound, ...halves, closeFrame(1000)]).length)
  assert.equal(close.bytesSent, 7 + 204 + 4 + 9 + 3 + 4)
})

test('bytes that came with the handshake count too', async (t) => {
  let early: Promise<unknown> | undefined
  const { port, nextSocket } = await serveOne(t, {
    handler: (socket) => {
      early = once(socket, 'message')
    },
  })
  const raw = connect(port, '127.0.0.1')
  await once(raw, 'connect')
  raw.write(Buffer.concat([Buffer.from(RawPeer.handshake(port, '/')), frame(OPCODE.text, 'early')]))
  const socket = await nextSocket()
  await early
  raw.resetAndDestroy()
  const close = await socket.closed
  assert.equal(close.messagesReceived, 1)
  assert.equal(close.bytesReceived, frame(OPCODE.text, 'early').length)
})

test('openedAt is the wall clock at the 101, duration is monotonic', async (t) => {
  const clock = new FakeClock()
  const { peer, socket } = await connectOne(t, { clock, options: { keepalive: false } })
  const openedAt = clock.wall()
  await clock.advance(12_345)
  peer.reset()
  const close = await socket.closed
  assert.equal(close.openedAt, openedAt)
  assert.equal(close.duration, 12_345)
})

test('the signal waits until our close frame has left a message that is being compressed', async (t) => {
  const { peer, socket } = await connectOne(
    t,
    { options: { websocket: { perMessageDeflate: { threshold: 0 } } } },
    DEFLATE,
  )
  const order: string[] = []
  socket.scope.signal.addEventListener('abort', () => order.push('abort'))
  socket.send('x'.repeat(1_000_000), () => order.push('message written'))
  socket.close(4000)
  await Promise.resolve()
  assert.equal(socket.scope.signal.aborted, false)
  const aborted = once(socket.scope.signal, 'abort')
  const written = await peer.nextOf(OPCODE.close)
  assert.equal(written?.payload.readUInt16BE(), 4000)
  await aborted
  assert.deepEqual(order, ['message written', 'abort'])
  peer.send(closeFrame(4000))
  assert.deepEqual((await socket.closed).sent, { code: 4000, reason: '' })
})

test('a close frame that never left the compression queue is not said to be sent', async (t) => {
  const { peer, socket } = await connectOne(
    t,
    { options: { websocket: { perMessageDeflate: { threshold: 0 } } } },
    DEFLATE,
  )
  socket.send('x'.repeat(5_000_000))
  socket.close(4000)
  peer.reset()
  const close = await socket.closed
  assert.equal(close.cause, 'server-close')
  assert.equal(close.sent, undefined)
})

test('without anything being compressed the signal aborts in a microtask', async (t) => {
  const { peer, socket } = await connectOne(t)
  socket.close(1000)
  assert.equal(socket.scope.signal.aborted, false)
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(socket.scope.signal.aborted, true)
  peer.destroy()
})

test('a signal that is first looked at while the connection ends has aborted all the same', async (t) => {
  const { app, peer } = await (async () => {
    const app = await serve(t, {
      routes: (app) => {
        app.get('/', { websocket: true }, () => {})
      },
    })
    return { app, peer: await RawPeer.open(portOf(app)) }
  })()
  const [socket] = app.websocketLifecycle.connections
  assert.ok(socket)
  socket.close(1000)
  await turns(1)
  const { signal } = socket.scope
  await turns(1)
  assert.equal(signal.aborted, true)
  peer.destroy()
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
  await turns()
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
    await turns()
    counts.push(responses)
  }
  assert.equal(counts[1], counts[0])
})
