// `whenFull: 'replace'`: what becomes of a new connection that waits for the end of an old one.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyReply } from 'fastify'
import type { LifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { turns } from '../support/time/fake-clock.js'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { gate, never } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import type { Rival } from '../support/models/rival.js'
import { until } from '../support/time/timed.js'
import {
  type Replacing,
  type ReplacingSetup,
  assertRoom,
  serveReplacing,
} from '../support/servers/replacing.js'

interface Waiting {
  readonly served: Replacing
  readonly first: Rival
  readonly second: Rival
}

/** Somebody waits for one who does not go. */
async function waiting(t: TestContext, setup: ReplacingSetup = {}): Promise<Waiting> {
  const served = await serveReplacing(t, {
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
      const served = await serveReplacing(t, {
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
      const served = await serveReplacing(t, {
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
  const served = await serveReplacing(t, {
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
  const served = await serveReplacing(t, {
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
