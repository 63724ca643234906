// `maxConnectionsPerKey.whenFull: 'replace'`: the newest connections of a key stay.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type {
  CloseInfo,
  LifecycleOptions,
  LifecycleSocket,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { Client } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { Rival, type RivalSetup } from '../support/models/rival.js'
import { portOf, serve } from '../support/servers/server.js'
import { rawOf } from '../support/servers/outbox.js'
import { until } from '../support/time/timed.js'

interface Setup {
  readonly max?: number
  readonly options?: WebsocketLifecycleOptions
  readonly route?: LifecycleOptions
  readonly key?: (request: FastifyRequest) => string | undefined
  /** Adds hooks before the route `/`. */
  readonly routes?: (app: FastifyInstance) => unknown
  readonly handler?: (socket: LifecycleSocket, request: FastifyRequest) => unknown
}

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly closes: CloseInfo[]
  readonly dial: (setup?: RivalSetup) => Promise<Rival>
  /** Somebody who is let in. */
  readonly enter: (setup?: RivalSetup) => Promise<Rival>
  /** Who wants in, and has been heard by the server, but waits. */
  readonly wait: (setup?: RivalSetup) => Promise<Rival>
}

const MIB = 1024 * 1024

/** Sends more than is read of it while a test looks. */
function sendMuch(socket: LifecycleSocket): void {
  for (let i = 0; i < 96; i++) socket.send(Buffer.alloc(MIB))
}

/** A peer that does not read otherwise takes so much that the kernel of the server takes more. */
async function readSome({ socket }: RawPeer): Promise<void> {
  const before = socket.bytesRead
  while (socket.bytesRead - before < 4 * MIB) {
    socket.read()
    await turns(1)
  }
}

/** An app with the route `/`, and at most one of a key there. */
async function start(t: TestContext, setup: Setup = {}): Promise<Served> {
  const clock = new FakeClock()
  const closes: CloseInfo[] = []
  const { max = 1, key = ({ headers }) => String(headers['x-key']) } = setup
  const app = await serve(t, {
    clock,
    options: {
      keepalive: false,
      maxConnectionsPerKey: { max, key, whenFull: 'replace' },
      onClose: (_socket, _request, close) => void closes.push(close),
      ...setup.options,
    },
    routes: (app) => {
      setup.routes?.(app)
      app.get('/', { websocket: true, ...setup.route }, (socket, request) => {
        socket.send('open')
        return setup.handler?.(socket, request)
      })
    },
  })
  const port = portOf(app)
  const dial = async (setup?: RivalSetup): Promise<Rival> => Rival.dial(port, setup)
  return {
    app,
    clock,
    port,
    closes,
    dial,
    enter: async (setup) => {
      const rival = await dial(setup)
      await until(() => rival.told.length > 0)
      assert.deepEqual(rival.told, ['open'])
      return rival
    },
    wait: async (setup) => {
      const rival = await dial(setup)
      await turns(12)
      assert.deepEqual(rival.told, [])
      return rival
    },
  }
}

/** There is room for so many as there should be, and for no more. */
async function assertRoom({ app, clock, dial, enter }: Served, room: number): Promise<void> {
  for (let i = 0; i < room; i++) await enter()
  assert.equal(app.websocketLifecycle.connections.size, room)
  const { replaced } = app.websocketLifecycle.stats().closed
  await dial()
  await until(() => app.websocketLifecycle.stats().closed.replaced === replaced + 1)
  await clock.advance(1)
}

/** The one connection of the key has not read yet what is sent to it, which is more than kernels hold. */
async function backlogged(
  t: TestContext,
): Promise<{ served: Served; first: Rival; socket: LifecycleSocket }> {
  const sockets: LifecycleSocket[] = []
  const served = await start(t, {
    options: {
      keepalive: false,
      closeTimeout: 1_000,
      outbox: { maxBytes: 128 * MIB, maxAge: false },
    },
    handler: (socket) => void sockets.push(socket),
  })
  const first = await served.enter({ isMute: true })
  first.peer.freeze()
  const [socket] = sockets as [LifecycleSocket]
  sendMuch(socket)
  return { served, first, socket }
}

describe("whenFull: 'replace'", () => {
  test('ends the oldest of the key with 4409, which is expected and not to be retried, and lets the new one in', async (t) => {
    const served = await start(t, { max: 2 })
    const [first, second] = [await served.enter(), await served.enter()]
    const third = await served.enter()
    assert.deepEqual(first.told, ['open', '4409 replaced'])
    await within(first.peer.ended(), 'the end of the first')
    assert.ok(second.isOpen && third.isOpen)
    await until(() => served.closes.length > 0)
    const [close] = served.closes
    assert.deepEqual(
      [close?.cause, close?.initiator, close?.expected, close?.retryable, close?.clean],
      ['replaced', 'server', true, false, true],
    )
    const frame = { code: 4409, reason: 'replaced' }
    assert.deepEqual([close?.sent, close?.received, close?.code], [frame, frame, 4409])
    const { closed, opened, refused: none } = served.app.websocketLifecycle.stats()
    assert.deepEqual([closed.replaced, opened, none], [1, 3, refused()])
  })

  test('lets the new one in when the transport of the old one is gone, whatever its cleanup takes', async (t) => {
    const cleanup = gate()
    let isOverBeforeOpen = true
    let sockets = 0
    const { app, enter } = await start(t, {
      options: { cleanupTimeout: 60_000 },
      route: { onClose: async () => cleanup.opened },
      handler: () => {
        if (++sockets !== 2) return
        const [old] = [...app.websocketLifecycle.connections]
        isOverBeforeOpen = old?.readyState === WebSocket.CLOSED
      },
    })
    await enter()
    await enter()
    assert.equal(isOverBeforeOpen, true)
    assert.equal(app.websocketLifecycle.connections.size, 2)
    cleanup.open()
    await until(() => app.websocketLifecycle.connections.size === 1)
  })

  test('calls the hooks and releases of the old one, and what it has said before is still handled', async (t) => {
    const events: string[] = []
    const { enter } = await start(t, {
      route: {
        onMessage: async (_socket: unknown, _request: unknown, message: unknown) => {
          await turns(3)
          events.push(String(message))
        },
        onClose: () => void events.push('close'),
        onUnexpectedClose: () => void events.push('unexpected'),
      } as LifecycleOptions,
      handler: (socket) => {
        socket.scope.defer(() => void events.push('release'))
        socket.scope.signal.addEventListener('abort', () => events.push('abort'))
      },
    })
    const first = await enter()
    first.peer.send(RawPeer.frame(OPCODE.text, 'one'), RawPeer.frame(OPCODE.text, 'two'))
    await turns(1)
    await enter()
    await until(() => events.includes('release'))
    assert.deepEqual(
      events.filter((event) => event !== 'abort'),
      ['one', 'two', 'close', 'release'],
    )
    assert.ok(events.indexOf('abort') < events.indexOf('close'))
  })

  test('waits no longer than closeTimeout for one that answers nothing', async (t) => {
    const served = await start(t, { options: { keepalive: false, closeTimeout: 1_000 } })
    const first = await served.enter({ isMute: true })
    const second = await served.wait()
    await served.clock.advance(950)
    assert.deepEqual(second.told, [])
    await served.clock.advance(200)
    await until(() => second.told.length > 0)
    assert.deepEqual([first.told, second.told], [['open', '4409 replaced'], ['open']])
    await assertRoom(served, 1)
  })

  test('waits no longer than closeTimeout for one that reads a long backlog slowly', async (t) => {
    const { served, first, socket } = await backlogged(t)
    const raw = rawOf(socket)
    assert.ok(raw.writableLength > 0)
    const second = await served.wait()
    const startedAt = served.clock.now()
    while (served.clock.now() - startedAt < 1_100 && second.told.length === 0) {
      // Progress in each tenth of the timeout, which starts it anew for whoever nobody waits for.
      await readSome(first.peer)
      await served.clock.advance(100)
    }
    await until(() => second.told.length > 0)
    assert.ok(served.clock.now() - startedAt >= 900, 'it went before its time')
    assert.deepEqual(second.told, ['open'])
    assert.equal(served.closes[0]?.cause, 'replaced')
  })

  for (const [name, close] of [
    ['the app closes', (socket: LifecycleSocket) => socket.close(4000)],
    ['the time limit ends', undefined],
  ] as const) {
    test(`waits for one that ${name} already, and no other one of the key goes for it`, async (t) => {
      const sockets: LifecycleSocket[] = []
      const served = await start(t, {
        max: 2,
        options: { keepalive: false, closeTimeout: 1_000 },
        handler: (socket) => {
          if (close === undefined && sockets.length === 1) socket.expireAt(served.clock.wall() + 10)
          sockets.push(socket)
        },
      })
      const [first, second] = [await served.enter(), await served.enter({ isMute: true })]
      if (close === undefined) await served.clock.advance(1_200)
      else close(sockets[1] as LifecycleSocket)
      await until(() => second.told.length === 2)
      const third = await served.wait()
      await served.clock.advance(1_300)
      await until(() => third.told.length > 0)
      assert.deepEqual([first.told, third.told], [['open'], ['open']])
      assert.equal(second.told.length, 2)
      assert.equal(served.app.websocketLifecycle.stats().closed.replaced, 0)
    })
  }

  test('one that the app closed long ago, and that reads on slowly, has closeTimeout from when somebody waits', async (t) => {
    const { served, first, socket } = await backlogged(t)
    socket.close(4000)
    await served.clock.advance(500)
    const second = await served.wait()
    for (let i = 0; i < 11 && second.told.length === 0; i++) {
      await readSome(first.peer)
      await served.clock.advance(100)
    }
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['open'])
    assert.equal(served.closes[0]?.cause, 'server-close')
  })

  test('does not limit whom it has no key for', async (t) => {
    const { app, enter } = await start(t, { key: () => undefined })
    await Promise.all(Array.from({ length: 10 }, async () => enter()))
    assert.equal(app.websocketLifecycle.connections.size, 10)
  })

  test('takes keys apart', async (t) => {
    const { enter } = await start(t)
    const ann = await enter({ headers: { 'x-key': 'ann' } })
    const bob = await enter({ headers: { 'x-key': 'bob' } })
    assert.ok(ann.isOpen && bob.isOpen)
  })

  test('of Infinity replaces nobody', async (t) => {
    const { app, enter } = await start(t, { max: Infinity })
    for (let i = 0; i < 5; i++) await enter()
    assert.equal(app.websocketLifecycle.connections.size, 5)
  })

  test("the plugin's holds for all routes without one of their own, a route's for that one", async (t) => {
    const { enter } = await start(t, {
      routes: (app) => {
        app.get('/b', { websocket: true }, (socket) => socket.send('open'))
        const own = { max: 1, key: () => 'one', whenFull: 'replace' } as const
        app.get('/own', { websocket: true, maxConnectionsPerKey: own }, (socket) =>
          socket.send('open'),
        )
      },
    })
    const first = await enter()
    const own = await enter({ path: '/own' })
    assert.ok(first.isOpen)
    const second = await enter({ path: '/b' })
    assert.deepEqual(first.told, ['open', '4409 replaced'])
    await enter({ path: '/own' })
    assert.deepEqual([own.told, second.told], [['open', '4409 replaced'], ['open']])
  })

  test('the total limits hold: a new one needs a place in them beside the old one', async (t) => {
    const { app, dial, enter } = await start(t, {
      options: {
        keepalive: false,
        maxConnections: 2,
        maxConnectionsPerKey: { max: 1, key: () => 'one', whenFull: 'replace' },
      },
      route: { maxConnections: 1 },
      routes: (app) => app.get('/b', { websocket: true }, (socket) => socket.send('open')),
    })
    const first = await enter()
    const second = await dial()
    await until(() => second.told.length > 0)
    assert.deepEqual([first.told, second.told], [['open'], ['503']])
    assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ limit: 1 }))
    await enter({ path: '/b' })
    assert.deepEqual(first.told, ['open', '4409 replaced'])
  })

  test('an upgrade opens in its own async context, and not in that of whom it replaces', async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const { enter } = await start(t, {
      routes: (app) => {
        app.addHook('onRequest', (request, _reply, done) => {
          storage.run(String(request.headers['x-name']), done)
        })
      },
      handler: () => void seen.push(storage.getStore()),
    })
    for (const name of ['first', 'second', 'third']) await enter({ headers: { 'x-name': name } })
    assert.deepEqual(seen, ['first', 'second', 'third'])
  })

  test('serves injectWS', async (t) => {
    const { app } = await start(t)
    const first = await app.injectWS('/')
    const closed = once(first, 'close')
    const second = await app.injectWS('/')
    const [code, reason] = await within(closed, 'the end of the first')
    assert.deepEqual([code, String(reason)], [4409, 'replaced'])
    assert.equal(second.readyState, WebSocket.OPEN)
    second.terminate()
  })

  test("a page that opens, closes and opens at once, as React's double mount does, keeps the second", async (t) => {
    const { app, closes, port } = await start(t)
    const url = `ws://127.0.0.1:${port}/`
    for (let i = 0; i < 5; i++) {
      const first = new Client(url)
      // Before it has opened, or after: both happen.
      if (i % 2 === 0) await first.next()
      first.ws.close()
      const second = await Client.open(url)
      assert.equal(await second.next(), 'open')
      await first.closed
      await second.roundTrip()
      const { cause } = closes.at(-1) ?? {}
      if (i % 2 === 0) assert.ok(cause === 'client-close' || cause === 'replaced', cause)
      second.ws.close()
      await second.closed
      await until(() => app.websocketLifecycle.connections.size === 0)
    }
  })
})

/** Somebody who answers nothing is there, and keepalive looks after them. */
const keepalive = { interval: 1_000, timeout: 10_000 } as const

async function pinged(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
): Promise<Pick<Waiting, 'served' | 'first'>> {
  const served = await start(t, {
    options: { keepalive, closeTimeout: 60_000, handshakeTimeout: false, ...options },
  })
  const first = await served.enter({ isMute: true })
  return { served, first }
}

describe('a half-open connection of the key', () => {
  test('is cut off at once: a ping is out, and nothing has come since; a peer that is there still gets its 4409', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    await served.enter()
    await within(first.peer.ended(), 'the end of the first')
    assert.deepEqual(first.told, ['open', '4409 replaced'])
    await until(() => served.closes.length > 0)
    const [close] = served.closes
    assert.deepEqual(
      [close?.cause, close?.expected, close?.retryable, close?.clean],
      ['replaced', true, false, false],
    )
    assert.deepEqual(close?.sent, { code: 4409, reason: 'replaced' })
  })

  test('is one that ends already, too', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    for (const socket of served.app.websocketLifecycle.connections) socket.close(4000)
    await until(() => first.told.length === 2)
    await served.enter()
    assert.deepEqual(first.told, ['open', '4000'])
  })

  test('is not one whose answer comes with the next poll, nor one that has said something since', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    const second = await served.dial()
    // What it says comes in while the server looks.
    served.app.server.once('upgrade', () =>
      first.peer.send(RawPeer.frame(OPCODE.text, 'I am here')),
    )
    await turns(12)
    assert.deepEqual(second.told, [])
    first.peer.send(RawPeer.closeFrame(4409, 'replaced'))
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['open'])
  })

  test('is not one that has not been pinged, nor any where keepalive is not to judge', async (t) => {
    const { served } = await pinged(t)
    await served.wait()
    const other = await pinged(t, { keepalive: { interval: 1_000, timeout: false } })
    await other.served.clock.advance(1_100)
    await other.served.wait()
  })

  test('is not one of which we do not read', async (t) => {
    const { served } = await pinged(t)
    for (const socket of served.app.websocketLifecycle.connections) socket.pause()
    await served.clock.advance(1_100)
    await served.wait()
  })
})

/** When those who stayed have left, there is room for as many, and no more. */
async function assertRoomAfter(served: Served, max: number, stayed: Rival[]): Promise<void> {
  for (const { peer } of stayed) peer.reset()
  await until(() => served.app.websocketLifecycle.connections.size === 0)
  const opened: Rival[] = []
  for (let id = 100; id < 100 + max; id++) {
    opened.push(await served.enter({ headers: { 'x-id': '0' } }))
  }
  assert.ok(opened.every(({ isOpen }) => isOpen))
}

describe('many that come at once to one key', () => {
  for (const max of [1, 2, 3]) {
    for (const refuse of ['http', 'close-frame'] as const) {
      for (const isMute of [false, true]) {
        test(`of 50 the newest ${max} stay, with refuse: '${refuse}'${isMute ? ', also if nobody answers' : ''}`, async (t) => {
          const order: number[] = []
          const served = await start(t, {
            max,
            options: {
              keepalive: false,
              closeTimeout: 100,
              maxConnectionsPerKey: { max, key: () => 'one', whenFull: 'replace' },
            },
            route: { refuse },
            routes: (app) => {
              app.server.prependListener('upgrade', ({ headers }) => {
                order.push(Number(headers['x-id']))
              })
              app.addHook('onRequest', async ({ headers }) => {
                // Hooks take their time, and not all the same.
                await turns((Number(headers['x-id']) * 7) % 11)
              })
            },
          })
          const { app, clock } = served
          const rivals = await Promise.all(
            Array.from({ length: 50 }, async (_, id) =>
              served.dial({ headers: { 'x-id': `${id}` }, isMute }),
            ),
          )
          const stay = (): Rival[] => order.slice(50 - max).map((id) => rivals[id] as Rival)
          for (let i = 0; i < 100; i++) {
            await turns(4)
            if (isMute) await clock.advance(20)
          }
          await until(() => order.length === 50 && stay().every(({ isOpen }) => isOpen))
          await until(() => app.websocketLifecycle.connections.size === max)
          for (const rival of rivals) {
            if (stay().includes(rival)) continue
            await within(rival.peer.ended(), 'the end of one who is not among the newest')
            assert.equal(rival.told.at(-1), '4409 replaced')
          }
          const { opened, refused: count, closed } = app.websocketLifecycle.stats()
          assert.equal(opened + count.key, 50)
          assert.equal(closed.replaced, opened - max)
          await assertRoomAfter(served, max, stay())
        })
      }
    }
  }
})

interface Waiting {
  readonly served: Served
  readonly first: Rival
  readonly second: Rival
}

/** Somebody waits for one who does not go. */
async function waiting(t: TestContext, setup: Setup = {}): Promise<Waiting> {
  const served = await start(t, {
    ...setup,
    options: { keepalive: false, closeTimeout: 5_000, handshakeTimeout: 2_000, ...setup.options },
  })
  const first = await served.enter({ isMute: true })
  const second = await served.wait()
  assert.deepEqual(first.told, ['open', '4409 replaced'])
  return { served, first, second }
}

describe('a new one that waits', () => {
  for (const refuse of ['http', 'close-frame'] as const) {
    test(`and is overtaken gets a 101 and 4409, with refuse: '${refuse}', and counts as refused`, async (t) => {
      const { served, first, second } = await waiting(t, { route: { refuse } })
      const third = await served.wait()
      await until(() => second.told.length > 0)
      assert.deepEqual(second.told, ['4409 replaced'])
      await within(second.peer.ended(), 'its end')
      first.peer.reset()
      await until(() => third.told.length > 0)
      assert.deepEqual(third.told, ['open'])
      const { opened, refused: counts } = served.app.websocketLifecycle.stats()
      assert.deepEqual([opened, counts], [2, refused({ key: 1 })])
      third.peer.reset()
      await until(() => served.app.websocketLifecycle.connections.size === 0)
      await assertRoom(served, 1)
    })
  }

  for (const how of ['FIN', 'RST'] as const) {
    test(`and leaves with a ${how} leaves its place to the next`, async (t) => {
      const replies: FastifyReply[] = []
      const { served, first, second } = await waiting(t, {
        routes: (app) => {
          app.addHook('onRequest', (_request, reply, done) => {
            replies.push(reply)
            done()
          })
        },
      })
      if (how === 'FIN') second.peer.finish()
      else second.peer.reset()
      // Its route handler is waited for no longer: Fastify is told that it has nothing to answer.
      await until(() => replies[1]?.sent === true)
      first.peer.reset()
      await until(() => served.app.websocketLifecycle.connections.size === 0)
      assert.deepEqual(second.told, [])
      await assertRoom(served, 1)
      assert.equal(served.app.websocketLifecycle.stats().opened, 3)
    })
  }

  test('has no longer than its handshakeTimeout', async (t) => {
    const { served, first, second } = await waiting(t)
    await served.clock.advance(2_200)
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['503'])
    assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ handshake: 1 }))
    first.peer.reset()
    await until(() => served.app.websocketLifecycle.connections.size === 0)
    await assertRoom(served, 1)
  })

  test('is refused by the drain, which waits for nobody then', async (t) => {
    const { served, first, second } = await waiting(t)
    const drain = served.app.websocketLifecycle.drain()
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['503'])
    first.peer.send(RawPeer.closeFrame(4409))
    const { closed, terminated } = await within(drain, 'the drain')
    assert.deepEqual([closed, terminated], [1, 0])
    assert.equal(served.app.websocketLifecycle.stats().closed.replaced, 1)
  })

  // Fastify has a handlerTimeout since 5.8.
  if (isFastifySince('5.8.0')) {
    test("is answered by Fastify's handlerTimeout", async (t) => {
      const served = await start(t, {
        options: { keepalive: false, closeTimeout: 5_000, handshakeTimeout: false },
        route: { handlerTimeout: 20 } as LifecycleOptions,
      })
      const first = await served.enter({ isMute: true })
      const second = await served.dial()
      await until(() => second.told.length > 0)
      assert.deepEqual(second.told, ['503'])
      await within(second.peer.ended(), 'its end')
      first.peer.reset()
      await until(() => served.app.websocketLifecycle.connections.size === 0)
      await assertRoom(served, 1)
    })

    test('and is being answered by Fastify, however slowly, is given no place', async (t) => {
      const served = await start(t, {
        options: { keepalive: false, closeTimeout: 5_000, handshakeTimeout: false },
        route: { handlerTimeout: 20 } as LifecycleOptions,
        routes: (app) => {
          app.addHook('onSend', async () => {
            isAnswering = true
            return never
          })
        },
      })
      let isAnswering = false
      const first = await served.enter({ isMute: true })
      await served.dial()
      await until(() => isAnswering)
      first.peer.reset()
      await until(() => served.app.websocketLifecycle.connections.size === 0)
      await served.enter()
    })
  }

  test('opens once, also where a hook has called back twice', async (t) => {
    const { served, first, second } = await waiting(t, {
      routes: (app) => {
        app.addHook('preHandler', (_request, _reply, done) => {
          done()
          done()
        })
      },
    })
    first.peer.reset()
    await until(() => second.told.length > 0)
    await turns(6)
    assert.deepEqual(second.told, ['open'])
    assert.equal(served.app.websocketLifecycle.stats().opened, 2)
    second.peer.reset()
    await until(() => served.app.websocketLifecycle.connections.size === 0)
    await assertRoom(served, 1)
  })

  test('asks its credentials before it waits', async (t) => {
    let asked = 0
    const { first, second } = await waiting(t, {
      route: {
        expiresAt: async () => {
          asked++
          return new Date('2100-01-01')
        },
      },
    })
    assert.equal(asked, 2)
    first.peer.reset()
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['open'])
  })
})

test('who came first but took longer in its hooks than newer ones does not replace them', async (t) => {
  const door = gate()
  const served = await start(t, {
    routes: (app) => {
      app.addHook('onRequest', async ({ headers }) => {
        if (headers['x-slow'] !== undefined) await door.opened
      })
    },
  })
  const slow = await served.wait({ headers: { 'x-slow': 'yes' } })
  const second = await served.enter()
  door.open()
  await until(() => slow.told.length > 0)
  assert.deepEqual([slow.told, second.told], [['4409 replaced'], ['open']])
  await within(slow.peer.ended(), 'its end')
  assert.deepEqual(served.app.websocketLifecycle.stats().refused, refused({ key: 1 }))
})

test('one that is overtaken while ws asks verifyClient ends when it has opened', async (t) => {
  let verify: (() => void) | undefined
  const served = await start(t, {
    options: {
      keepalive: false,
      websocket: {
        verifyClient: ({ req }, callback) => {
          if (req.headers['x-slow'] === undefined) callback(true)
          else verify = () => callback(true)
        },
      },
    },
  })
  const slow = await served.wait({ headers: { 'x-slow': 'yes' } })
  const second = await served.wait()
  verify?.()
  await until(() => second.told.length > 0)
  assert.deepEqual(second.told, ['open'])
  await until(() => slow.told.includes('4409 replaced'))
  await until(() => served.closes.length > 0)
  assert.equal(served.closes[0]?.cause, 'replaced')
  const third = await served.enter()
  assert.deepEqual([second.told, third.told], [['open', '4409 replaced'], ['open']])
})
