// The deadline of a drain, and what shortens it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { assertSilent } from '../support/peers/heard.js'
import { within } from '../support/time/bound.js'
import { never } from '../support/time/gate.js'
import { start, openClient, openPeer, watch, drained } from '../support/servers/draining.js'

const byName = (a: string, b: string): number => a.localeCompare(b)

describe('the deadline of a drain', () => {
  test('terminates every socket that is left', async (t) => {
    const served = await start(t, { closeTimeout: 60_000, drain: { timeout: 1_000 } })
    const peers = await Promise.all([openPeer(served), openPeer(served), openPeer(served)])
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(999)
    assert.equal(watched.settled, false)
    await served.clock.advance(1)
    const { closed, terminated, duration } = await drained(report)
    assert.deepEqual(
      { closed, terminated, duration },
      { closed: 0, terminated: 3, duration: 1_000 },
    )
    for (const peer of peers) await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })

  test('holds for those too that were not asked to leave yet', async (t) => {
    const served = await start(
      t,
      { drain: { timeout: 1_000, spread: 1_000 } },
      { onShutdown: () => never },
    )
    await Promise.all(Array.from({ length: 8 }, async () => openClient(served)))
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_000)
    await served.clock.advance(500)
    assert.ok((await drained(report)).duration <= 1_500)
    assert.equal(served.clock.pending, 0)
  })

  test('gives all steps that still run 500 ms more, which they share', async (t) => {
    const ran: string[] = []
    const served = await start(
      t,
      { cleanupTimeout: 60_000, drain: { timeout: 1_000 } },
      { onClose: () => never },
      {
        handler: (socket) => {
          socket.scope.defer(() => ran.push('synchronous'))
          socket.scope.defer(function second() {
            ran.push('second')
            return never
          })
          socket.scope.defer(function first() {
            ran.push('first')
            return never
          })
        },
      },
    )
    await Promise.all([openClient(served), openClient(served)])
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    await served.clock.advance(1_499)
    assert.equal(watched.settled, false)
    assert.deepEqual(ran, [])
    await served.clock.advance(1)
    const { closed, abandoned, duration } = await drained(report)
    assert.equal(closed, 2)
    assert.equal(duration, 1_500)
    assert.deepEqual(abandoned.map(({ step }) => step).toSorted(byName), [
      'onClose',
      'onClose',
      'release first',
      'release first',
      'release second',
      'release second',
    ])
    assert.deepEqual(ran.toSorted(byName), [
      'first',
      'first',
      'second',
      'second',
      'synchronous',
      'synchronous',
    ])
    assert.equal(served.clock.pending, 0)
  })

  test('is shortened by app.close()', async (t) => {
    const served = await start(t, { closeTimeout: 100_000, drain: { timeout: 2_000 } })
    const peer = await openPeer(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 90_000 })
    const watched = watch(report)
    await served.clock.advance(10_000)
    const closing = served.app.close()
    await served.clock.advance(1_999)
    assert.equal(watched.settled, false)
    await served.clock.advance(1)
    assert.equal((await drained(report)).duration, 12_000)
    await within(closing, 'app.close()')
    await within(peer.ended(), 'the end of the socket')
  })

  test('is shortened in time for the closes: nobody waits for the spread or a goodbye any more', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500, drain: { timeout: 2_000 } },
      { onShutdown: async () => never },
    )
    const clients = [await openClient(served), await openClient(served), await openClient(served)]
    const { websocketLifecycle } = served.app
    const report = websocketLifecycle.drain({ timeout: 60_000, spread: 30_000 })
    await served.clock.advance(200)
    const closed = served.app.close()
    await served.clock.advance(1_100)
    for (const client of clients) assert.equal((await client.closed).code, 1012)
    await served.clock.advance(2_000)
    await within(closed, 'app.close()')
    assert.deepEqual(
      { ...(await report), abandoned: [], duration: 0 },
      {
        closed: 3,
        terminated: 0,
        abandoned: [],
        duration: 0,
      },
    )
    assert.equal(served.clock.pending, 0)
  })

  test('is shortened in the middle of the spread: nobody waits for their turn any more', async (t) => {
    const served = await start(t, { closeTimeout: 500, drain: { timeout: 2_000 } })
    const [first, second] = [await openClient(served), await openClient(served)]
    const report = served.app.websocketLifecycle.drain({ timeout: 60_000, spread: 30_000 })
    await served.clock.advance(15_000)
    assert.equal((await first.closed).code, 1012)
    await assertSilent(second)
    const closing = served.app.close()
    assert.equal((await second.closed).code, 1012)
    const { closed, duration } = await drained(report)
    assert.deepEqual({ closed, duration }, { closed: 2, duration: 15_000 })
    await within(closing, 'app.close()')
    assert.equal(served.clock.pending, 0)
  })

  test('leaves behind at once, and names, the goodbyes for which there is no time any more', async (t) => {
    const served = await start(
      t,
      { closeTimeout: 500, drain: { timeout: 2_000 } },
      { onShutdown: async () => never },
    )
    const client = await openClient(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 60_000 })
    await served.clock.advance(200)
    const closed = served.app.close()
    await served.clock.advance(1_000)
    assert.equal((await client.closed).code, 1012)
    await within(closed, 'app.close()')
    const [{ id }] = served.sockets as [LifecycleSocket]
    assert.deepEqual((await report).abandoned, [{ id, route: '/ws', step: 'onShutdown' }])
    assert.equal(served.clock.pending, 0)
  })

  test('leaves no timer where app.close() comes when a longer drain() is over', async (t) => {
    const served = await start(t)
    await openClient(served)
    await drained(served.app.websocketLifecycle.drain({ timeout: 60_000 }))
    assert.equal(served.clock.pending, 0)
    await within(served.app.close(), 'app.close()')
    assert.equal(served.clock.pending, 0)
  })

  test('is not lengthened by app.close()', async (t) => {
    const served = await start(t, { closeTimeout: 100_000, drain: { timeout: 5_000 } })
    await openPeer(served)
    const report = served.app.websocketLifecycle.drain({ timeout: 1_000 })
    await served.clock.advance(500)
    const closing = served.app.close()
    await served.clock.advance(500)
    assert.equal((await drained(report)).duration, 1_000)
    await within(closing, 'app.close()')
  })

  for (const [what, timeout, options] of [
    ['that has passed', 1_000, undefined],
    ['that a longer drain has passed', 100, { timeout: 1_000 }],
  ] as const) {
    test(`${what} is not set anew by app.close(): steps keep their grace`, async (t) => {
      const served = await start(
        t,
        { cleanupTimeout: 60_000, drain: { timeout } },
        { onClose: () => never },
      )
      await openClient(served)
      const report = served.app.websocketLifecycle.drain(options)
      await served.clock.advance(1_200)
      const closing = served.app.close()
      await served.clock.advance(300)
      assert.equal((await drained(report)).duration, 1_500)
      await within(closing, 'app.close()')
    })
  }
})
