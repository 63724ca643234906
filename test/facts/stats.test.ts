// What app.websocketLifecycle tells: who is here, and the counts of all that was.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { CloseCause, LifecycleSocket, LifecycleStats, RouteStats } from '../../lib/index.js'
import { CLOSE_CAUSES } from '../../lib/core/close/policy.js'
import { connect } from '../support/peers/connect.js'
import { until } from '../support/time/timed.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve, serveOne } from '../support/servers/server.js'

function closedOf(causes: Partial<Record<CloseCause, number>>): Record<CloseCause, number> {
  const none = Object.fromEntries(CLOSE_CAUSES.map((cause) => [cause, 0]))
  return { ...none, ...causes } as Record<CloseCause, number>
}

const NOTHING: LifecycleStats = {
  open: 0,
  opened: 0,
  refused: refused(),
  closed: closedOf({}),
  abandoned: 0,
  dropped: 0,
  sessions: { connected: 0, suspended: 0, resumed: 0, expired: 0, displaced: 0, stale: 0 },
  byRoute: {},
}

/** `stats().byRoute[...]`, with these counts and otherwise zeros. */
function ofRoute(counts: Partial<RouteStats>): RouteStats {
  const zeros = { open: 0, opened: 0, refused: refused(), closed: closedOf({}), dropped: 0 }
  return { ...zeros, abandoned: 0, ...counts }
}

describe('stats()', () => {
  test('begins with zeros, one for every cause and reason', async (t) => {
    const app = await serve(t, {})
    assert.deepEqual(app.websocketLifecycle.stats(), NOTHING)
  })

  test('is a fresh copy each time: nobody can change the counts', async (t) => {
    const app = await serve(t, {})
    const stats = app.websocketLifecycle.stats()
    stats.opened = 7
    stats.closed.shutdown = 7
    stats.refused.route = 7
    stats.sessions.resumed = 7
    assert.deepEqual(app.websocketLifecycle.stats(), NOTHING)
  })

  test('counts each connection by its cause, whatever ends it', async (t) => {
    const clock = new FakeClock()
    const { app, port, nextSocket } = await serveOne(t, {
      clock,
      options: { closeTimeout: 500, keepalive: { interval: 1_000, timeout: 1_000 } },
      handler: (socket) =>
        socket.on('message', (data: Buffer) => {
          if (data.toString() === 'fail') throw new Error('as asked')
        }),
    })
    const ends: Array<[CloseCause, (peer: RawPeer, socket: LifecycleSocket) => unknown]> = [
      ['client-close', (peer) => peer.send(RawPeer.closeFrame(1000))],
      ['server-close', (_peer, socket) => socket.close()],
      ['server-terminate', (_peer, socket) => socket.terminate()],
      ['handler-error', (peer) => peer.send(RawPeer.frame(OPCODE.text, 'fail'))],
      ['protocol-error', (peer) => peer.send(RawPeer.frame(7))],
      ['message-too-big', (peer) => peer.send(RawPeer.frame(OPCODE.text, 'x'.repeat(2 ** 20 + 1)))],
      ['connection-lost', (peer) => peer.finish()],
      ['connection-reset', (peer) => peer.reset()],
    ]
    for (let round = 1; round <= 2; round++) {
      for (const [cause, end] of ends) {
        const peer = await RawPeer.open(port)
        const socket = await nextSocket()
        end(peer, socket)
        const over = { isOver: false }
        void socket.closed.then(() => Object.assign(over, { isOver: true }))
        while (!over.isOver) {
          await turns()
          if (socket.readyState === socket.CLOSING) await clock.advance(100)
        }
        peer.destroy()
        assert.equal(app.websocketLifecycle.stats().closed[cause], round, cause)
      }
    }
    const silent = [await RawPeer.open(port), await RawPeer.open(port)]
    const unheard = [await nextSocket(), await nextSocket()]
    await clock.advance(2_500)
    for (const socket of unheard) await within(socket.closed, 'the verdict')
    for (const peer of silent) peer.destroy()
    await RawPeer.open(port)
    await nextSocket()
    const drain = app.websocketLifecycle.drain()
    await turns()
    await clock.advance(700)
    await within(drain, 'the drain')
    const stats = app.websocketLifecycle.stats()
    const closed = closedOf({
      ...Object.fromEntries(ends.map(([cause]) => [cause, 2])),
      'heartbeat-timeout': 2,
      shutdown: 1,
    })
    const byRoute = { '/': ofRoute({ opened: 19, closed }) }
    assert.deepEqual(stats, { ...NOTHING, opened: 19, closed, byRoute })
    const sum = Object.values(stats.closed).reduce((total, count) => total + count, 0)
    assert.equal(sum, stats.opened)
  })

  test('counts refusals by their reason', async (t) => {
    const clock = new FakeClock()
    const seen = gate()
    const app = await serve(t, {
      clock,
      options: { handshakeTimeout: 1_000 },
      routes: (app) => {
        const route = { websocket: true, preHandler: async () => never } as const
        app.get('/slow', { ...route, onRequest: async () => seen.open() }, () => {})
        app.get('/http', async () => 'http')
      },
    })
    const answerTo = async (path: string): Promise<string> =>
      (await RawPeer.dial(portOf(app), path)).answer()
    await answerTo('/http')
    await answerTo('/nowhere')
    const slow = answerTo('/slow')
    await seen.opened
    await clock.advance(1_200)
    await slow
    await app.websocketLifecycle.drain()
    for (const path of ['/slow', '/http', '/nowhere']) await answerTo(path)
    assert.deepEqual(app.websocketLifecycle.stats(), {
      ...NOTHING,
      refused: refused({ draining: 3, route: 2, handshake: 1 }),
      byRoute: {
        // While the server drains, no upgrade gets as far as its route.
        '/http': ofRoute({ refused: refused({ route: 1 }) }),
        '/slow': ofRoute({ refused: refused({ handshake: 1 }) }),
      },
    })
  })

  test('counts each route by its URL pattern', async (t) => {
    const app = await serve(t, {
      routes: (instance) => {
        instance.get('/rooms/:id', { websocket: true, onMessage: () => {} }, () => {})
        instance.get('/one', { websocket: true, maxConnections: 1 }, () => {})
      },
    })
    const port = portOf(app)
    const peers = [await RawPeer.open(port, '/rooms/1'), await RawPeer.open(port, '/rooms/2')]
    const one = await RawPeer.open(port, '/one')
    const second = await RawPeer.dial(port, '/one')
    await second.answer()
    const [first] = app.websocketLifecycle.connections
    first?.close(4000)
    peers[0]?.send(RawPeer.frame(OPCODE.text, 'too late'), RawPeer.closeFrame(4000))
    await first?.closed
    const { byRoute, open } = app.websocketLifecycle.stats()
    const closed = closedOf({ 'server-close': 1 })
    assert.deepEqual(byRoute, {
      '/rooms/:id': ofRoute({ open: 1, opened: 2, closed, dropped: 1 }),
      '/one': ofRoute({ open: 1, opened: 1, refused: refused({ limit: 1 }) }),
    })
    assert.equal(open, 2)
    for (const peer of [...peers, one, second]) peer.destroy()
  })

  test('counts abandoned steps, before a drain and in it', async (t) => {
    const clock = new FakeClock()
    const { app, port, nextSocket } = await serveOne(t, {
      clock,
      options: { cleanupTimeout: 100, keepalive: false },
      route: { onClose: () => never },
      handler: (socket) => socket.scope.defer(() => never),
    })
    const first = await connect(`ws://127.0.0.1:${port}/`)
    const socket = await nextSocket()
    await first.close()
    await clock.advance(100)
    assert.equal(app.websocketLifecycle.stats().abandoned, 1)
    await clock.advance(100)
    await within(socket.closed, 'the end')
    assert.equal(app.websocketLifecycle.stats().abandoned, 2)
    await connect(`ws://127.0.0.1:${port}/`)
    const drain = app.websocketLifecycle.drain()
    await until(() => app.websocketLifecycle.stats().closed.shutdown === 1)
    await clock.advance(300)
    const { abandoned } = await within(drain, 'the drain')
    assert.equal(abandoned.length, 2)
    const { abandoned: inAll, byRoute } = app.websocketLifecycle.stats()
    assert.deepEqual([inAll, byRoute['/']?.abandoned], [4, 4])
  })

  test('can be read after the app has closed', async (t) => {
    const { app, port } = await serveOne(t)
    const client = await connect(`ws://127.0.0.1:${port}/`)
    await app.close()
    await client.closed
    const stats = app.websocketLifecycle.stats()
    const counts = { opened: 1, closed: closedOf({ shutdown: 1 }) }
    assert.deepEqual(stats, { ...NOTHING, ...counts, byRoute: { '/': ofRoute(counts) } })
  })
})

describe('connections', () => {
  test('holds each socket from its opening to its last release', async (t) => {
    const cleaned = gate()
    const { app, port, nextSocket } = await serveOne(t, {
      handler: (socket) => socket.scope.defer(() => cleaned.opened),
    })
    const { websocketLifecycle } = app
    assert.equal(websocketLifecycle.connections.size, 0)
    const client = await connect(`ws://127.0.0.1:${port}/`)
    const socket = await nextSocket()
    assert.deepEqual([...websocketLifecycle.connections], [socket])
    assert.equal(websocketLifecycle.stats().open, 1)
    await client.close()
    await until(() => websocketLifecycle.stats().closed['client-close'] === 1)
    assert.equal(websocketLifecycle.stats().closed['client-close'], 1)
    assert.deepEqual([...websocketLifecycle.connections], [socket])
    assert.equal(websocketLifecycle.stats().open, 1)
    cleaned.open()
    await socket.closed
    assert.equal(websocketLifecycle.connections.size, 0)
    assert.equal(websocketLifecycle.stats().open, 0)
  })

  test('is the same, live set each time', async (t) => {
    const { app, nextSocket } = await serveOne(t)
    const { connections } = app.websocketLifecycle
    const clients = await Promise.all(Array.from({ length: 5 }, async () => connect(app)))
    const sockets = await Promise.all(clients.map(async () => nextSocket()))
    assert.equal(app.websocketLifecycle.connections, connections)
    assert.equal(connections.size, 5)
    assert.equal(new Set([...connections].map(({ id }) => id)).size, 5)
    for (const client of clients) client.drop()
    await Promise.all(sockets.map(async ({ closed }) => closed))
    assert.equal(connections.size, 0)
  })

  test('lets an app speak to everybody, and ask who is where', async (t) => {
    const app = await serve(t, {
      routes: (app: FastifyInstance) => {
        for (const path of ['/a', '/b']) app.get(path, { websocket: true }, () => {})
      },
    })
    const url = `ws://127.0.0.1:${portOf(app)}`
    const clients = [await connect(`${url}/a`), await connect(`${url}/b`)]
    for (const socket of app.websocketLifecycle.connections) {
      socket.send(`you are at ${String(socket.request.routeOptions.url)}`)
    }
    assert.deepEqual(await Promise.all(clients.map(async (client) => client.next())), [
      'you are at /a',
      'you are at /b',
    ])
  })
})

test('app.websocketLifecycle is frozen', async (t) => {
  const { websocketLifecycle } = await serve(t, {})
  assert.ok(Object.isFrozen(websocketLifecycle))
  assert.equal(Reflect.set(websocketLifecycle, 'draining', true), false)
  assert.equal(websocketLifecycle.draining, false)
})
