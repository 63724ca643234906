// What upgrades get that are under way when a drain begins.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { delivered } from '../support/time/delivered.js'
import { gate, never } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { start, watch, drained } from '../support/servers/draining.js'
import { until } from '../support/time/timed.js'

describe('an upgrade that is under way when the drain begins', () => {
  test('gets a 503, its releases are awaited, and its handler does not run', async (t) => {
    const hook = gate()
    const released = gate()
    const events: string[] = []
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(async () => {
              events.push('releasing')
              await released.opened
              events.push('released')
            })
            events.push('hook')
            await hook.opened
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await until(() => events.length > 0)
    const report = served.app.websocketLifecycle.drain()
    const watched = watch(report)
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_DRAINING')
    await within(peer.ended(), 'the end of the socket')
    await delivered()
    assert.deepEqual(events, ['hook', 'releasing'])
    assert.equal(watched.settled, false)
    released.open()
    const { closed, terminated } = await drained(report)
    assert.deepEqual({ closed, terminated }, { closed: 0, terminated: 0 })
    hook.open()
    await delivered()
    assert.deepEqual(events, ['hook', 'releasing', 'released'])
    assert.equal(served.sockets.length, 0)
    assert.equal(served.app.websocketLifecycle.stats().refused.draining, 1)
    assert.equal(served.app.websocketLifecycle.stats().opened, 0)
    assert.equal(served.clock.pending, 0)
  })

  test('gets a 503 also while a hook hangs that was added before the plugin', async (t) => {
    const events: string[] = []
    const served = await start(
      t,
      {},
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(() => events.push('released'))
            events.push('hook')
            await never
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await until(() => events.length > 0)
    await within(served.app.close(), 'app.close()')
    const { status, headers } = parseAnswer(await peer.answer())
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.deepEqual(events, ['hook', 'released'])
  })

  test('gets a 503 also while verifyClient hangs', async (t) => {
    const asked = gate()
    const served = await start(t, {
      websocket: { verifyClient: (_info, _done) => asked.open() },
    })
    const peer = await RawPeer.dial(served.port, '/ws')
    await asked.opened
    await within(served.app.close(), 'app.close()')
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.sockets.length, 0)
  })

  test('is left at the deadline, where its releases hang', async (t) => {
    const events: string[] = []
    const served = await start(
      t,
      { drain: { timeout: 1_000 } },
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(function lock() {
              return never
            })
            events.push('hook')
            await never
          })
        },
      },
    )
    await RawPeer.dial(served.port, '/ws')
    await until(() => events.length > 0)
    const report = served.app.websocketLifecycle.drain()
    await served.clock.advance(1_500)
    const { abandoned, duration } = await drained(report)
    assert.equal(duration, 1_500)
    assert.deepEqual(
      abandoned.map(({ route, step }) => [route, step]),
      [['/ws', 'release lock']],
    )
  })

  test('is answered at once, past an onSend hook that hangs', async (t) => {
    const hook = gate()
    const served = await start(
      t,
      {},
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async () => {
            hook.open()
            await never
          })
          app.addHook('onSend', async () => never)
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await hook.opened
    const report = served.app.websocketLifecycle.drain()
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 .*DRAINING/s)
    assert.equal((await drained(report)).duration, 0)
    await within(peer.ended(), 'the end of the socket')
    assert.equal(served.clock.pending, 0)
  })
})
