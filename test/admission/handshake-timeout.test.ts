// `handshakeTimeout`: how long an upgrade may take, and what ends it then.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { gate, never } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { type Scoped, assertNothingLeft, serveScoped } from '../support/servers/scoped.js'

async function assertTimesOut(served: Scoped, peer: RawPeer, timeout: number): Promise<void> {
  await served.seen.opened
  // A tick of the sweep is a tenth of the shortest timeout that it serves.
  await served.clock.advance(timeout - 10)
  assert.equal(peer.hasEnded, false)
  assert.equal(served.app.websocketLifecycle.stats().refused.handshake, 0)
  await served.clock.advance(10 + timeout / 5)
  const { status, headers, body } = parseAnswer(await peer.answer())
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], undefined)
  assert.deepEqual(JSON.parse(body), {
    statusCode: 503,
    code: 'FST_ERR_WSL_HANDSHAKE_TIMEOUT',
    error: 'Service Unavailable',
    message: `The WebSocket handshake took longer than its handshakeTimeout of ${timeout} ms`,
  })
  await within(peer.ended(), 'the end of the socket')
}

const SECOND = { handshakeTimeout: 1_000 } as const
const TWO_SECONDS = { handshakeTimeout: 2_000 } as const
const FALSE = { handshakeTimeout: false } as const

describe('an upgrade that takes longer than handshakeTimeout', () => {
  for (const [title, options, route, timeout] of [
    ['gets a 503 while a hook of the route never settles', SECOND, {}, 1_000],
    ["gets it after the route's own timeout", { handshakeTimeout: 100 }, TWO_SECONDS, 2_000],
  ] as const) {
    test(title, async (t) => {
      const served = await serveScoped(t, options, { ...route, preHandler: async () => never })
      await assertTimesOut(served, await RawPeer.dial(served.port, '/ws'), timeout)
      await assertNothingLeft(served, { handshake: 1 })
    })
  }

  test('gets a 503 after ten seconds, unless told otherwise', async (t) => {
    const served = await serveScoped(t, {}, { preHandler: async () => never })
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(9_900)
    assert.equal(served.app.websocketLifecycle.stats().refused.handshake, 0)
    await served.clock.advance(500)
    assert.equal(parseAnswer(await peer.answer()).status, 503)
    await assertNothingLeft(served, { handshake: 1 })
  })

  for (const [how, then] of [
    ['settles', () => {}],
    [
      'throws',
      () => {
        throw new Error('too late')
      },
    ],
  ] as const) {
    test(`runs no handler when the hook ${how} after all`, async (t) => {
      const slow = gate()
      const preHandler = async (): Promise<void> => slow.opened.then(then)
      const served = await serveScoped(t, SECOND, { preHandler })
      const peer = await RawPeer.dial(served.port, '/ws')
      await assertTimesOut(served, peer, 1_000)
      slow.open()
      await assertNothingLeft(served, { handshake: 1 })
    })
  }

  test('gets it while a hook never settles that was added before the plugin', async (t) => {
    const hook = gate()
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000 },
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) => {
            request.wsScope?.defer(() => served.events.push('release of the early hook'))
            served.seen.open()
            await hook.opened
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    await assertNothingLeft(served, { handshake: 1 }, ['release of the early hook'])
    hook.open()
    await assertNothingLeft(served, { handshake: 1 }, ['release of the early hook'])
  })

  test('gets it while verifyClient never answers', async (t) => {
    const late: Array<(verified: boolean) => void> = []
    const served = await serveScoped(t, {
      handshakeTimeout: 1_000,
      websocket: { verifyClient: (_info, done) => void late.push(done) },
    })
    const peer = await RawPeer.dial(served.port, '/ws')
    await assertTimesOut(served, peer, 1_000)
    for (const done of late) done(true)
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('is answered past the onSend and onError hooks, which may hang', async (t) => {
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000, closeTimeout: 500 },
      { preHandler: async () => never },
      {
        routes: (app) => {
          app.addHook('onError', async () => never)
          app.addHook('onSend', async () => never)
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await served.seen.opened
    await served.clock.advance(1_100)
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 /)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('is answered while an onError hook of a refusal hangs', async (t) => {
    const failing = gate()
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000 },
      {
        preHandler: async () => {
          throw new Error('no')
        },
      },
      {
        routes: (app) =>
          app.addHook('onError', async () => {
            failing.open()
            await never
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await failing.opened
    await served.clock.advance(1_100)
    assert.match(await peer.answer(), /^HTTP\/1\.1 503 .*HANDSHAKE_TIMEOUT/s)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  test('and was refused is destroyed a closeTimeout later, where an onSend hook hangs', async (t) => {
    const sending = gate()
    const served = await serveScoped(
      t,
      { closeTimeout: 500 },
      {},
      {
        routes: (app) =>
          app.addHook('onSend', async () => {
            sending.open()
            await never
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/http')
    await sending.opened
    await served.clock.advance(400)
    assert.equal(peer.hasEnded, false)
    await served.clock.advance(200)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, [])
  })

  test('is refused by its deadline too where a hook answered, and an onSend hook hangs', async (t) => {
    const sending = gate()
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000, closeTimeout: 500 },
      {},
      {
        routes: (app) => {
          app.addHook('onRequest', async (_request, reply) => reply.code(401).send('who?'))
          app.addHook('onSend', async () => {
            sending.open()
            await never
          })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    await sending.opened
    await served.clock.advance(1_100)
    const answer = await peer.answer()
    assert.match(answer, /^HTTP\/1\.1 503 .*HANDSHAKE_TIMEOUT/s)
    assert.doesNotMatch(answer, /who\?/)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { handshake: 1 })
  })

  for (const [where, options, route] of [
    ['where handshakeTimeout is false', FALSE, {}],
    ['on a route whose handshakeTimeout is false', SECOND, FALSE],
  ] as const) {
    test(`waits for ever ${where}`, async (t) => {
      const slow = gate()
      const preHandler = async (): Promise<void> => slow.opened
      const served = await serveScoped(t, options, { ...route, preHandler })
      const peer = await RawPeer.dial(served.port, '/ws')
      await served.seen.opened
      await served.clock.advance(120_000)
      assert.equal(peer.hasEnded, false)
      slow.open()
      assert.match(await peer.answer(), /^HTTP\/1\.1 101 /)
      assert.deepEqual(served.events, ['hook', 'handler'])
    })
  }

  test('through injectWS is refused too', async (t) => {
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000 },
      { preHandler: async () => never },
    )
    const isRefused = assert.rejects(
      async () => served.app.injectWS('/ws'),
      /Unexpected server response: 503/,
    )
    await served.seen.opened
    await served.clock.advance(1_200)
    await isRefused
    await assertNothingLeft(served, { handshake: 1 })
  })
})
