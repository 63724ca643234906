// Upgrades that never become connections: what they get, and that nothing of them is left.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleStats } from '../../lib/index.js'
import { connect } from '../support/peers/connect.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { logLines } from '../support/servers/log-lines.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { until } from '../support/time/timed.js'
import { assertNothingLeft, serveScoped } from '../support/servers/scoped.js'

describe('a refusal', () => {
  test('is logged with its reason and route, and without the query', async (t) => {
    const { lines, fastify } = logLines()
    const served = await serveScoped(t, {}, {}, { fastify })
    const peer = await RawPeer.dial(served.port, '/http?token=secret')
    await peer.answer()
    await served.app.websocketLifecycle.drain()
    const other = await RawPeer.dial(served.port, '/ws?token=secret')
    await other.answer()
    const refusals = lines.filter(({ msg }) => msg === 'WebSocket upgrade refused')
    assert.deepEqual(
      refusals.map(({ reason }) => reason),
      ['route', 'draining'],
    )
    assert.doesNotMatch(JSON.stringify(refusals), /secret/)
  })

  test('by a hook of the app gets what the hook sends, and counts as none of ours', async (t) => {
    const served = await serveScoped(
      t,
      {},
      {},
      {
        routes: (app) =>
          app.addHook('onRequest', async (_request, reply) => {
            await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who?' })
          }),
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, headers, body } = parseAnswer(await peer.answer())
    assert.equal(status, 401)
    assert.equal(headers['www-authenticate'], 'Bearer')
    assert.equal(body, '{"error":"who?"}')
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {})
  })

  test('by a hook that throws gets its error, and its socket is ended', async (t) => {
    const served = await serveScoped(
      t,
      {},
      {
        preHandler: async () => {
          throw Object.assign(new Error('not for you'), { statusCode: 403 })
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/ws')
    const { status, body } = parseAnswer(await peer.answer())
    assert.equal(status, 403)
    assert.equal(JSON.parse(body).message, 'not for you')
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, {})
  })

  for (const [path, status] of [
    ['/refused', 401],
    ['/throws', 500],
    ['/http', 404],
    ['/nowhere', 404],
  ] as const) {
    test(`through injectWS (${path}) is over at once: the clock does not have to move`, async (t) => {
      const served = await serveScoped(
        t,
        {},
        {},
        {
          before: (app) => {
            app.addHook('onRequest', async (request) =>
              request.wsScope?.defer(() => served.events.push('early release')),
            )
          },
          routes: (app) => {
            const refuse = { preHandler: async () => Promise.reject(new Error('no')) }
            app.get('/throws', { websocket: true, ...refuse }, () => {})
            app.addHook('onRequest', async (request, reply) =>
              request.url === '/refused' ? reply.code(401).send('who?') : undefined,
            )
            app.get('/refused', { websocket: true }, () => {})
          },
        },
      )
      await assert.rejects(
        async () => served.app.injectWS(path),
        new RegExp(`Unexpected server response: ${status}`),
      )
      await until(() => served.clock.pending === 0)
      await turns()
      assert.equal(served.events.at(-1), 'early release')
      assert.equal(served.clock.pending, 0)
      const stats = served.app.websocketLifecycle.stats()
      assert.deepEqual(stats.refused, refused({ route: status === 404 ? 1 : 0 }))
      await within(served.app.close(), 'app.close()')
    })
  }

  test('of a route that does not exist ends the scope', async (t) => {
    const served = await serveScoped(t)
    const peer = await RawPeer.dial(served.port, '/nowhere')
    assert.equal(parseAnswer(await peer.answer()).status, 404)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 })
  })

  test('of a route that is no WebSocket route ends a scope that was used before the plugin', async (t) => {
    const served = await serveScoped(
      t,
      {},
      {},
      {
        before: (app) => {
          app.addHook('onRequest', async (request) =>
            request.wsScope?.defer(() => served.events.push('release')),
          )
        },
      },
    )
    const peer = await RawPeer.dial(served.port, '/http')
    assert.equal(parseAnswer(await peer.answer()).status, 404)
    await within(peer.ended(), 'the end of the socket')
    await assertNothingLeft(served, { route: 1 }, ['release'])
  })
})

describe('a peer that leaves during the hooks', () => {
  for (const [how, leave] of [
    ['a reset', (peer: RawPeer) => peer.reset()],
    ['a FIN', (peer: RawPeer) => peer.finish()],
  ] as const) {
    test(`by ${how} ends its scope at once; its handler does not run`, async (t) => {
      const slow = gate()
      const verifyClient = (): boolean => served.events.push('verifyClient') > 0
      const served = await serveScoped(
        t,
        { websocket: { verifyClient } },
        { preHandler: async () => slow.opened },
      )
      const peer = await RawPeer.dial(served.port, '/ws')
      await served.seen.opened
      leave(peer)
      await until(() => served.events.includes('release'))
      await within(peer.ended(), 'the end of the socket')
      await assertNothingLeft(served, {})
      slow.open()
      await assertNothingLeft(served, {})
    })

    test(`by ${how} ends its scope also in a hook that was added before the plugin`, async (t) => {
      const slow = gate()
      const served = await serveScoped(
        t,
        {},
        {},
        {
          before: (app) => {
            app.addHook('onRequest', async (request) => {
              request.wsScope?.defer(() => served.events.push('release'))
              served.seen.open()
              await slow.opened
            })
          },
        },
      )
      const peer = await RawPeer.dial(served.port, '/ws')
      await served.seen.opened
      leave(peer)
      await until(() => served.events.includes('release'))
      slow.open()
      await assertNothingLeft(served, {}, ['release'])
    })
  }
})

describe('what is left of upgrades', () => {
  test('is nothing, after many that ended in every way', async (t) => {
    const slow = gate()
    const served = await serveScoped(
      t,
      { handshakeTimeout: 1_000 },
      {
        preHandler: async (request) => {
          if (request.headers['x-slow'] === 'yes') await slow.opened
        },
      },
    )
    const ends: Array<() => Promise<RawPeer>> = [
      async () => RawPeer.dial(served.port, '/nowhere'),
      async () => RawPeer.dial(served.port, '/http'),
      async () => RawPeer.dial(served.port, '/ws', { 'sec-websocket-key': '' }),
      async () => RawPeer.dial(served.port, '/ws', { 'x-slow': 'yes' }),
      async () => RawPeer.dial(served.port, '/ws'),
    ]
    const peers = await Promise.all(Array.from({ length: 50 }, (_, i) => ends[i % 5]!()))
    const client = await connect(`ws://127.0.0.1:${served.port}/ws`)
    const count = (event: string): number =>
      served.events.filter((happened) => happened === event).length
    const counts = (): LifecycleStats => served.app.websocketLifecycle.stats()
    await until(() => count('hook') === 41 && counts().refused.route === 20)
    for (const peer of peers) peer.destroy()
    client.drop()
    await until(() => served.clock.pending === 0)
    // The hooks of those that have left go on: too late.
    slow.open()
    await turns(20)
    const stats = counts()
    assert.equal(stats.open, 0)
    assert.equal(stats.opened, 11)
    assert.deepEqual(stats.refused, refused({ route: 20 }))
    // Every upgrade but those to the route that is no WebSocket route came as far as the hook.
    assert.equal(count('hook'), 41)
    assert.equal(count('release'), 41)
    assert.equal(count('abort'), 41)
    assert.equal(count('handler'), 11)
    await within(served.app.close(), 'app.close()')
    assert.equal(served.app.server.listenerCount('upgrade'), 0)
    assert.equal(served.clock.pending, 0)
  })
})
