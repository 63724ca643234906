// `maxConnectionsPerKey.whenFull: 'replace'`: the newest connections of a key stay.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import type { LifecycleOptions, LifecycleSocket } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { answered } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { allRead } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import type { Rival } from '../support/models/rival.js'
import { rawOf } from '../support/servers/outbox.js'
import { until } from '../support/time/timed.js'
import { type Replacing, assertRoom, serveReplacing } from '../support/servers/replacing.js'

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

/** The one connection of the key has not read yet what is sent to it, which is more than kernels hold. */
async function backlogged(
  t: TestContext,
): Promise<{ served: Replacing; first: Rival; socket: LifecycleSocket }> {
  const sockets: LifecycleSocket[] = []
  const served = await serveReplacing(t, {
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
  test('ends the oldest of the key with 4409, expected and not retryable, and lets the new one in', async (t) => {
    const served = await serveReplacing(t, { max: 2 })
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
    const { app, enter } = await serveReplacing(t, {
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
    const sockets: LifecycleSocket[] = []
    const { enter } = await serveReplacing(t, {
      route: {
        onMessage: async (_socket: unknown, _request: unknown, message: unknown) => {
          await turns(3)
          events.push(String(message))
        },
        onClose: () => void events.push('close'),
        onUnexpectedClose: () => void events.push('unexpected'),
      } as LifecycleOptions,
      handler: (socket) => {
        sockets.push(socket)
        socket.scope.defer(() => void events.push('release'))
        socket.scope.signal.addEventListener('abort', () => events.push('abort'))
      },
    })
    const first = await enter()
    first.peer.send(RawPeer.frame(OPCODE.text, 'one'), RawPeer.frame(OPCODE.text, 'two'))
    await allRead(first.peer.socket, rawOf(sockets[0] as LifecycleSocket))
    await enter()
    await until(() => events.includes('release'))
    assert.deepEqual(
      events.filter((event) => event !== 'abort'),
      ['one', 'two', 'close', 'release'],
    )
    assert.ok(events.indexOf('abort') < events.indexOf('close'))
  })

  test('waits no longer than closeTimeout for one that answers nothing', async (t) => {
    const served = await serveReplacing(t, { options: { keepalive: false, closeTimeout: 1_000 } })
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
      const served = await serveReplacing(t, {
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

  test('a slow reader that the app closed long ago has closeTimeout from when somebody waits', async (t) => {
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
    const { app, enter } = await serveReplacing(t, { key: () => undefined })
    await Promise.all(Array.from({ length: 10 }, async () => enter()))
    assert.equal(app.websocketLifecycle.connections.size, 10)
  })

  test('takes keys apart', async (t) => {
    const { enter } = await serveReplacing(t)
    const ann = await enter({ headers: { 'x-key': 'ann' } })
    const bob = await enter({ headers: { 'x-key': 'bob' } })
    assert.ok(ann.isOpen && bob.isOpen)
  })

  test('of Infinity replaces nobody', async (t) => {
    const { app, enter } = await serveReplacing(t, { max: Infinity })
    for (let i = 0; i < 5; i++) await enter()
    assert.equal(app.websocketLifecycle.connections.size, 5)
  })

  test("the plugin's holds for all routes without one of their own, a route's for that one", async (t) => {
    const { enter } = await serveReplacing(t, {
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
    const { app, dial, enter } = await serveReplacing(t, {
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
    const { enter } = await serveReplacing(t, {
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
    const { app } = await serveReplacing(t)
    const first = await app.injectWS('/')
    const closed = once(first, 'close')
    const second = await app.injectWS('/')
    const [code, reason] = await within(closed, 'the end of the first')
    assert.deepEqual([code, String(reason)], [4409, 'replaced'])
    assert.equal(second.readyState, WebSocket.OPEN)
    second.terminate()
  })

  test("a page that opens, closes and opens, as React's double mount does, keeps the second", async (t) => {
    const { app, closes, port } = await serveReplacing(t)
    const url = `ws://127.0.0.1:${port}/`
    for (let i = 0; i < 5; i++) {
      const first = new WebSocket(url)
      first.on('error', () => {})
      const closed = new Promise((resolve) => first.on('close', resolve))
      // Before it has opened, or after: both happen.
      if (i % 2 === 0) await once(first, 'message')
      first.close()
      const second = await connect(url)
      assert.equal(await second.next(), 'open')
      await closed
      await answered(second)
      const { cause } = closes.at(-1) ?? {}
      if (i % 2 === 0) assert.ok(cause === 'client-close' || cause === 'replaced', cause)
      await second.close()
      await until(() => app.websocketLifecycle.connections.size === 0)
    }
  })
})
