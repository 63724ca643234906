// What a drain does: goodbyes, close frames, a report.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DrainOptions, LifecycleSocket } from '../../lib/index.js'
import { answered, assertSilent, untilEnd } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { refusal } from '../support/peers/client.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { gate, never } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { start, openClient, openPeer, drained } from '../support/servers/draining.js'

describe('a drain', () => {
  test('says goodbye, the route before the plugin, then closes with 1012', async (t) => {
    const served = await start(
      t,
      { onShutdown: async (socket) => void socket.send('the plugin says goodbye') },
      { onShutdown: async (socket) => void socket.send('the route says goodbye') },
    )
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual(await untilEnd(client), [
      'the route says goodbye',
      'the plugin says goodbye',
      'close 1012 service restart',
    ])
  })

  test('waits for an asynchronous goodbye', async (t) => {
    const fetched = gate()
    const served = await start(
      t,
      {},
      {
        async onShutdown(socket, request) {
          await fetched.opened
          socket.send(`goodbye ${request.url}, from ${typeof this.inject}`)
        },
      },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await assertSilent(client)
    fetched.open()
    await drained(report)
    assert.deepEqual(await untilEnd(client), [
      'goodbye /ws, from function',
      'close 1012 service restart',
    ])
  })

  test('closes with the code and reason that it is given', async (t) => {
    const served = await start(t, { drain: { code: 4001, reason: 'żegnaj' } })
    const client = await openClient(served)
    await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual(await untilEnd(client), ['close 4001 żegnaj'])
  })

  test('records the cause shutdown, whatever code is sent', async (t) => {
    const served = await start(t, { drain: { code: 4001 } })
    await openClient(served)
    const [socket] = served.sockets as [LifecycleSocket]
    await drained(served.app.websocketLifecycle.drain())
    const close = await socket.closed
    assert.equal(close.cause, 'shutdown')
    assert.equal(close.initiator, 'server')
    assert.equal(close.expected, true)
    assert.equal(close.clean, true)
    assert.deepEqual(close.sent, { code: 4001, reason: 'service restart' })
  })

  test('spreads the close frames over `spread`: each slice of it has one departure', async (t) => {
    const served = await start(t, { drain: { spread: 1_000 } })
    const clients = await Promise.all(Array.from({ length: 10 }, async () => openClient(served)))
    const gone = (): number => served.app.websocketLifecycle.stats().closed.shutdown
    const report = served.app.websocketLifecycle.drain()
    await delivered()
    for (let slice = 1; slice <= 10; slice++) {
      await served.clock.advance(100)
      assert.equal(gone(), slice)
    }
    const { closed, duration } = await drained(report)
    assert.equal(closed, 10)
    assert.ok(duration > 900 && duration <= 1_000, String(duration))
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    assert.equal(served.clock.pending, 0)
  })

  test('goes on when somebody leaves before it is their turn', async (t) => {
    const served = await start(t, { drain: { spread: 1_000 } })
    const clients = await Promise.all(Array.from({ length: 4 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await delivered()
    clients[3]?.drop()
    await within((served.sockets[3] as LifecycleSocket).closed, 'the end')
    await served.clock.advance(1_000)
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 4, terminated: 0 })
    assert.equal(served.app.websocketLifecycle.stats().closed['connection-lost'], 1)
    assert.equal(served.clock.pending, 0)
  })

  test('asks all at its begin, and closes only those that are there when their turn comes', async (t) => {
    const asked: LifecycleSocket[] = []
    const onShutdown = async (socket: LifecycleSocket): Promise<void> => void asked.push(socket)
    const served = await start(t, { drain: { spread: 1_000 } }, { onShutdown })
    const [first, second] = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain()
    await delivered()
    assert.deepEqual(asked, served.sockets)
    await second.close(1000)
    await served.clock.advance(1_000)
    assert.equal((await first.closed).code, 1012)
    assert.equal((await drained(report)).closed, 2)
    assert.equal(served.app.websocketLifecycle.stats().closed['client-close'], 1)
  })

  test('closes a crowd at once where nothing is to be spread', async (t) => {
    const served = await start(t)
    const clients = await Promise.all(Array.from({ length: 200 }, async () => openClient(served)))
    const { closed, terminated, duration } = await drained(served.app.websocketLifecycle.drain())
    assert.deepEqual({ closed, terminated, duration }, { closed: 200, terminated: 0, duration: 0 })
    for (const client of clients) assert.equal((await client.closed).code, 1012)
  })

  test('without connections is over at once', async (t) => {
    const served = await start(t)
    assert.deepEqual(await drained(served.app.websocketLifecycle.drain()), {
      closed: 0,
      terminated: 0,
      abandoned: [],
      duration: 0,
    })
    assert.equal(served.clock.pending, 0)
  })

  test('is told by `draining`, from its begin and for good', async (t) => {
    const served = await start(t)
    const { websocketLifecycle } = served.app
    await openClient(served)
    assert.equal(websocketLifecycle.draining, false)
    const report = websocketLifecycle.drain()
    await turns(1)
    assert.equal(websocketLifecycle.draining, true)
    await drained(report)
    assert.equal(websocketLifecycle.draining, true)
  })

  test('emits each message that arrives before the close frame', async (t) => {
    const goodbye = gate()
    const messages: string[] = []
    const served = await start(
      t,
      {},
      { onShutdown: () => goodbye.opened },
      {
        handler: (socket) => {
          socket.on('message', (data: Buffer) => messages.push(data.toString()))
        },
      },
    )
    const client = await openClient(served)
    client.send('before')
    await answered(client)
    const report = served.app.websocketLifecycle.drain()
    for (let i = 0; i < 3; i++) client.send('meanwhile')
    await answered(client)
    goodbye.open()
    await drained(report)
    assert.deepEqual(messages, ['before', 'meanwhile', 'meanwhile', 'meanwhile'])
    assert.equal(served.app.websocketLifecycle.stats().dropped, 0)
    assert.equal((await (served.sockets[0] as LifecycleSocket).closed).messagesReceived, 4)
  })

  test('is reported: returned, and logged in one line', async (t) => {
    const { lines, fastify } = logLines()
    const served = await start(
      t,
      { closeTimeout: 300, cleanupTimeout: 200 },
      {
        onClose: async function hangs(socket) {
          if (socket === served.sockets[2]) await never
        },
      },
      { fastify },
    )
    await openClient(served)
    const frozen = await openPeer(served)
    frozen.freeze()
    await openClient(served)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    const told = await drained(report)
    assert.deepEqual(
      { ...told, duration: 0 },
      {
        closed: 2,
        terminated: 1,
        abandoned: [{ id: served.sockets[2]?.id, route: '/ws', step: 'onClose' }],
        duration: 0,
      },
    )
    assert.ok(told.duration >= 300 && told.duration < 400, String(told.duration))
    const logged = lines.filter(({ msg }) => msg === 'all WebSocket connections have ended')
    assert.equal(logged.length, 1)
    const [{ closed, terminated, abandoned, duration }] = logged as [Record<string, unknown>]
    // Each of them has a line of its own.
    const expected = { ...told, abandoned: told.abandoned.length }
    assert.deepEqual({ closed, terminated, abandoned, duration }, expected)
    assert.ok(Object.isFrozen(told))
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 1)
  })

  test('happens once: a second call returns the report of the first', async (t) => {
    const said: string[] = []
    const served = await start(t, {}, { onShutdown: () => said.push('goodbye') })
    const client = await openClient(served)
    const { websocketLifecycle } = served.app
    const [first, second] = await Promise.all([
      drained(websocketLifecycle.drain()),
      drained(websocketLifecycle.drain({ code: 4009 })),
    ])
    const third = await drained(websocketLifecycle.drain())
    assert.equal(first.closed, 1)
    assert.equal(second, first)
    assert.equal(third, first)
    assert.deepEqual(said, ['goodbye'])
    assert.equal((await client.closed).code, 1012)
    await served.app.close()
    assert.deepEqual(said, ['goodbye'])
  })

  test('does not end HTTP', async (t) => {
    const served = await start(t)
    await drained(served.app.websocketLifecycle.drain())
    const response = await fetch(`http://127.0.0.1:${served.port}/http`)
    assert.equal(await response.text(), 'http')
  })

  test('lays its options over those of the plugin', async (t) => {
    const served = await start(t, {
      drain: { code: 4001, reason: 'from the plugin', retryAfter: 3 },
    })
    const client = await openClient(served)
    const said = await drained(served.app.websocketLifecycle.drain({ code: 4002, retryAfter: 7 }))
    assert.equal(said.closed, 1)
    assert.deepEqual(await untilEnd(client), ['close 4002 from the plugin'])
    const { status, headers } = await refusal(served.url)
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '7')
  })

  for (const [options, message] of [
    [{ timeout: 0 }, /`drain\.timeout` to be a number of milliseconds.*got `0`/],
    [{ spread: 9_000 }, /`drain\.spread` to be at most `drain\.timeout` \(8000\), got `9000`/],
    [{ code: 1005 }, /`drain\.code` to be a close code that may be sent, got `1005`/],
    [{ reason: 'ż'.repeat(62) }, /`drain\.reason` to be a string of at most 123 bytes/],
    [{ retryAfter: 1.5 }, /`drain\.retryAfter` to be a whole number of seconds/],
    [{ timout: 5 }, /`drain\.timout` \(did you mean `drain\.timeout`\?\)/],
  ] as Array<[DrainOptions, RegExp]>) {
    test(`does not begin with invalid options: ${JSON.stringify(options).slice(0, 30)}`, async (t) => {
      const served = await start(t)
      const client = await openClient(served)
      await assert.rejects(async () => served.app.websocketLifecycle.drain(options), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message,
      })
      assert.equal(served.app.websocketLifecycle.draining, false)
      await answered(client)
    })
  }

  test('waits for no release that was added too late for it, and no timer is left of that', async (t) => {
    const served = await start(t)
    await openClient(served)
    const [{ closed, scope }] = served.sockets as [LifecycleSocket]
    const report = served.app.websocketLifecycle.drain()
    void closed.then(() => scope.defer(() => never))
    await drained(report)
    scope.defer(() => never)
    await delivered()
    assert.equal(served.clock.pending, 0)
    assert.equal(served.app.websocketLifecycle.stats().abandoned, 0)
  })

  test('leaves no timer behind', async (t) => {
    const served = await start(t, { keepalive: {}, drain: { spread: 100 } })
    await Promise.all(Array.from({ length: 5 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(100)
    await drained(report)
    assert.equal(served.clock.pending, 0)
  })
})
