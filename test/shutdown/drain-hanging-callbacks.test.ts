// A drain and callbacks that do not return.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { assertSilent, untilEnd } from '../support/peers/heard.js'
import { never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { start, openClient, drained } from '../support/servers/draining.js'

describe('a drain and callbacks that do not return', () => {
  test('a handler that never settles is not waited for', async (t) => {
    const served = await start(t, {}, {}, { handler: () => never })
    const client = await openClient(served)
    const { closed, abandoned } = await drained(served.app.websocketLifecycle.drain())
    assert.equal(closed, 1)
    assert.deepEqual(abandoned, [])
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye that hangs has cleanupTimeout, is left behind, and the close frame follows', async (t) => {
    const served = await start(t, { cleanupTimeout: 1_000 }, { onShutdown: () => never })
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(999)
    await assertSilent(client)
    await served.clock.advance(1)
    const { closed, abandoned } = await drained(report)
    assert.equal(closed, 1)
    assert.deepEqual(
      abandoned.map(({ step }) => step),
      ['onShutdown'],
    )
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye that hangs keeps the other connections for the budget, and no longer', async (t) => {
    const served = await start(
      t,
      {},
      { onShutdown: (socket) => (socket === served.sockets[0] ? never : undefined) },
    )
    const [hanging, other] = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(4_499)
    for (const client of [hanging, other]) await assertSilent(client)
    await served.clock.advance(1)
    await drained(report)
    for (const client of [hanging, other]) assert.equal((await client.closed).code, 1012)
  })

  test('goodbyes that take all their time leave less for the spread, and enough for closes', async (t) => {
    const served = await start(t, { drain: { spread: 4_000 } }, { onShutdown: () => never })
    const clients = await Promise.all(Array.from({ length: 10 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(4_500 + 1_750)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 10, terminated: 0 })
    assert.ok(duration > 6_000 && duration <= 6_250, String(duration))
    for (const client of clients) assert.equal((await client.closed).code, 1012)
  })

  test('the goodbyes of route and plugin share one budget', async (t) => {
    const calls: string[] = []
    const hang = (name: string) => (): unknown => {
      calls.push(name)
      return never
    }
    const served = await start(
      t,
      { cleanupTimeout: 1_000, onShutdown: hang('plugin') },
      { onShutdown: hang('route') },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    await drained(report)
    assert.deepEqual(calls, ['route', 'plugin'])
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye has no more time than drain.timeout leaves for the close', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 1_000, drain: { timeout: 3_000 } },
      { onShutdown: () => never },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_499)
    await assertSilent(client)
    await served.clock.advance(1)
    await drained(report)
    assert.equal((await client.closed).code, 1012)
  })

  test('a goodbye for which no time is left is said, and not awaited', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 1_000, drain: { timeout: 1_000 } },
      {
        onShutdown: (socket) => {
          socket.send('quick')
          return never
        },
      },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1)
    await drained(report)
    assert.deepEqual(await untilEnd(client), ['quick', 'close 1012 service restart'])
  })

  test('a goodbye that closes for itself has the last word', async (t) => {
    const served = await start(t, {}, { onShutdown: (socket) => socket.close(4007, 'mine') })
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual(await untilEnd(client), ['close 4007 mine'])
    assert.equal(served.app.websocketLifecycle.stats().closed['server-close'], 1)
  })

  test('a goodbye that throws ends its own connection with 1011, and no other', async (t) => {
    const told: string[] = []
    const served = await start(
      t,
      { onHandlerError: (_socket, _request, error) => told.push(error.message) },
      {
        onShutdown: (socket) => {
          if (socket === served.sockets[0]) throw new Error('no words')
        },
      },
    )
    const [first, second] = [await openClient(served), await openClient(served)]
    const { closed } = await drained(served.app.websocketLifecycle.drain())
    assert.equal(closed, 2)
    assert.deepEqual(await untilEnd(first), ['close 1011 handler-error'])
    assert.equal((await second.closed).code, 1012)
    assert.deepEqual(told, ['no words'])
  })

  test('a cleanup that hangs is left behind after cleanupTimeout, by name; the next one runs', async (t) => {
    const ran: string[] = []
    const { lines, fastify } = logLines()
    const served = await start(
      t,
      { cleanupTimeout: 500 },
      {},
      {
        fastify,
        handler: (socket) => {
          socket.scope.defer(() => ran.push('last'))
          socket.scope.defer(function feed() {
            return never
          })
          socket.scope.defer(() => never)
        },
      },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(500)
    assert.deepEqual(ran, [])
    await served.clock.advance(500)
    const { closed, abandoned } = await drained(report)
    assert.equal(closed, 1)
    const { id } = served.sockets[0] as LifecycleSocket
    assert.deepEqual(abandoned, [
      { id, route: '/ws', step: 'release' },
      { id, route: '/ws', step: 'release feed' },
    ])
    assert.deepEqual(ran, ['last'])
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 2)
    const warnings = lines.filter(({ msg }) => /left behind/.test(String(msg)))
    assert.deepEqual(
      warnings.map(({ level, route, step }) => [level, route, step]),
      [
        [40, '/ws', 'release'],
        [40, '/ws', 'release feed'],
      ],
    )
  })

  test('a callback that waits for the drain itself costs a cleanupTimeout', async (t) => {
    const served = await start(
      t,
      { cleanupTimeout: 500 },
      { onClose: async () => served.app.websocketLifecycle.drain() },
    )
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(500)
    assert.equal((await drained(report)).abandoned.length, 1)
  })
})
