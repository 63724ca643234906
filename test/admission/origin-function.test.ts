// `allowedOrigins` as a function: when it is asked, and how long it may take.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { LifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import type { Observed } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import {
  type AllowedOrigins,
  OURS,
  STRANGER,
  ask,
  serveOrigins,
  statusOf,
} from '../support/servers/origins.js'

/** An app whose origin function says when it is asked, and answers when it is told to. */
interface Asked extends Observed {
  readonly clock: FakeClock
  readonly peer: RawPeer
  readonly answer: (isWelcome: boolean | Error) => void
  /** What onError hooks were told. */
  readonly errors: Error[]
}

async function askSlowly(t: TestContext, options: LifecycleOptions = {}): Promise<Asked> {
  const clock = new FakeClock()
  const asked = gate()
  const answers: Array<(isWelcome: boolean | Promise<never>) => void> = []
  const allowedOrigins: AllowedOrigins = async (origin) => {
    if (origin !== OURS) return true
    asked.open()
    return new Promise((resolve) => answers.push(resolve))
  }
  const errors: Error[] = []
  const observed = await serveOrigins(t, allowedOrigins, {
    clock,
    before: (app) =>
      app.addHook('onError', async (_request, _reply, error) => void errors.push(error)),
    options: { keepalive: false, maxConnections: 1, ...options },
  })
  const peer = await RawPeer.dial(observed.port, '/', { origin: OURS })
  await within(asked.opened, 'the question')
  const answer = (isWelcome: boolean | Error): void =>
    answers[0]?.(isWelcome instanceof Error ? Promise.reject(isWelcome) : isWelcome)
  return { ...observed, clock, peer, answer, errors }
}

const LATE: ReadonlyArray<boolean | Error> = [true, false, new Error('too late')]

describe('a function that takes its time', () => {
  for (const late of LATE) {
    test(`is over at handshakeTimeout, and its late answer (${String(late)}) changes nothing`, async (t) => {
      const { app, port, clock, peer, answer, events, errors } = await askSlowly(t, {
        handshakeTimeout: 1_000,
      })
      await clock.advance(900)
      assert.equal(peer.hasEnded, false)
      await clock.advance(300)
      const { status, body } = parseAnswer(await within(peer.answer(), 'an answer'))
      assert.equal(status, 503)
      assert.equal(JSON.parse(body).code, 'FST_ERR_WSL_HANDSHAKE_TIMEOUT')
      await within(peer.ended(), 'the end of the socket')
      answer(late)
      await turns(20)
      const { refused: counts, opened } = app.websocketLifecycle.stats()
      assert.deepEqual([counts, opened, events, errors], [refused({ handshake: 1 }), 0, [], []])
      // It holds no place.
      assert.equal(await statusOf(port, STRANGER), 101)
    })

    for (const leave of ['finish', 'reset'] as const) {
      test(`whose peer has left (${leave}) when it says ${String(late)} admits and refuses nobody`, async (t) => {
        const { app, port, clock, peer, answer, events, errors } = await askSlowly(t)
        peer[leave]()
        await until(() => clock.pending === 0)
        answer(late)
        await turns(20)
        const { refused: counts, opened } = app.websocketLifecycle.stats()
        assert.deepEqual([counts, opened, events, errors], [refused(), 0, [], []])
        assert.equal(await statusOf(port, STRANGER), 101)
      })
    }

    test(`is too late (${String(late)}) for a drain that has begun`, async (t) => {
      const { app, clock, peer, answer, events, errors } = await askSlowly(t)
      const draining = app.websocketLifecycle.drain()
      await clock.advance(20_000)
      assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, 503)
      answer(late)
      await within(draining, 'the drain')
      await turns(20)
      const { refused: counts, opened } = app.websocketLifecycle.stats()
      assert.deepEqual([counts, opened, events, errors], [refused({ draining: 1 }), 0, [], []])
    })
  }

  test('has all the time that there is where handshakeTimeout is false', async (t) => {
    const { clock, peer, answer } = await askSlowly(t, { handshakeTimeout: false })
    await clock.advance(600_000)
    answer(true)
    assert.equal(parseAnswer(await within(peer.answer(), 'an answer')).status, 101)
  })
})

/** An app that notes who is asked about an upgrade to `/child`, one after the other. */
async function serveInOrder(t: TestContext): Promise<{ port: number; order: string[] }> {
  const order: string[] = []
  const note = (what: string) => async () => void order.push(what)
  const allowedOrigins: AllowedOrigins = async (origin) => {
    order.push('question')
    return origin === OURS
  }
  const { port } = await serveOrigins(t, allowedOrigins, {
    before: (app) => app.addHook('onRequest', note('hook before the plugin')),
    routes: (app) => {
      app.addHook('onRequest', note('hook after the plugin'))
      app.register(async (child) => {
        child.addHook('onRequest', note('hook of a child'))
        const onRequest = note('hook of the route')
        const handlers = { handler: note('plain'), wsHandler: note('handler') }
        child.route({ method: 'GET', url: '/child', onRequest, ...handlers })
      })
    },
  })
  return { port, order }
}

describe('the order', () => {
  test('has the origin behind hooks that were added before the plugin, and before all others', async (t) => {
    const { port, order } = await serveInOrder(t)
    assert.equal((await ask(port, { origin: OURS }, '/child')).status, 101)
    assert.deepEqual(order, [
      'hook before the plugin',
      'question',
      'hook after the plugin',
      'hook of a child',
      'hook of the route',
      'handler',
    ])
  })

  test('of a refusal ends with the question', async (t) => {
    const { port, order } = await serveInOrder(t)
    assert.equal((await ask(port, { origin: STRANGER }, '/child')).status, 403)
    assert.deepEqual(order, ['hook before the plugin', 'question'])
  })

  test('has no question for a plain request, nor for a path without a WebSocket', async (t) => {
    const { port, order } = await serveInOrder(t)
    await fetch(`http://127.0.0.1:${port}/child`, { headers: { origin: STRANGER } })
    assert.equal(order.at(-1), 'plain')
    assert.equal((await ask(port, { origin: STRANGER }, '/nowhere')).status, 404)
    assert.ok(!order.includes('question'))
  })
})
