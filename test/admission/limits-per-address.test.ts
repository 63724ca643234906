// How many connections each address has at once, be it behind a proxy or not.
import assert from 'node:assert/strict'
import { connect as dial } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { turnedAway } from '../support/models/door.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'

interface Setup {
  readonly options: WebsocketLifecycleOptions
  readonly fastify?: FastifyServerOptions
}

/** An app with the routes `/a` and `/b`. */
async function start(
  t: TestContext,
  setup: Setup,
): Promise<{ readonly app: FastifyInstance; readonly port: number }> {
  const app = await serve(t, {
    ...setup,
    routes: (app) => {
      app.get('/a', { websocket: true }, () => {})
      app.get('/b', { websocket: true }, () => {})
    },
  })
  return { app, port: portOf(app) }
}

describe('maxConnectionsPerKey without a key', () => {
  test('counts by address, unless told otherwise', async (t) => {
    const { app, port } = await start(t, { options: { maxConnectionsPerKey: { max: 2 } } })
    await RawPeer.open(port, '/a')
    await RawPeer.open(port, '/b')
    assert.equal((await turnedAway(app, '/a')).status, 429)
    // 127.0.0.2 is somebody else, though on the same machine.
    const other = async (path: string): Promise<RawPeer> =>
      RawPeer.over(dial({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }), port, path)
    await other('/a')
    await other('/b')
    await assert.rejects(other('/a'), /No 101: HTTP\/1\.1 429 /)
  })

  test('counts by address where the key is undefined', async (t) => {
    const perKey = { max: 1, key: undefined } as unknown as { max: number }
    const { app, port } = await start(t, { options: { maxConnectionsPerKey: perKey } })
    await RawPeer.open(port, '/a')
    assert.equal((await turnedAway(app, '/a')).status, 429)
  })
})

function via(addresses: string): Record<string, string> {
  return { 'x-forwarded-for': addresses }
}

describe('maxConnectionsPerKey without a key, behind a proxy', () => {
  const perAddress = { options: { maxConnectionsPerKey: { max: 1 } } }

  test('counts the clients, where the proxy is trusted', async (t) => {
    const { app, port } = await start(t, { ...perAddress, fastify: { trustProxy: true } })
    for (const client of ['192.0.2.1', '192.0.2.2', '2001:db8::1']) {
      await RawPeer.open(port, '/a', via(client))
      assert.equal((await turnedAway(app, '/b', via(client))).status, 429)
    }
    // Without the header it is the proxy itself.
    await RawPeer.open(port, '/a')
    assert.equal((await turnedAway(app, '/b')).status, 429)
  })

  test('counts the proxy, where it is not trusted: strangers write what they like', async (t) => {
    const { app, port } = await start(t, perAddress)
    await RawPeer.open(port, '/a', via('192.0.2.1'))
    assert.equal((await turnedAway(app, '/a', via('192.0.2.2'))).status, 429)
  })

  test('counts whom the trusted proxy names last, not what a client wrote before', async (t) => {
    const { app, port } = await start(t, { ...perAddress, fastify: { trustProxy: '127.0.0.1' } })
    await RawPeer.open(port, '/a', via('192.0.2.1'))
    for (const invented of ['10.1.1.1', '10.1.1.2', 'garbage']) {
      assert.equal((await turnedAway(app, '/a', via(`${invented}, 192.0.2.1`))).status, 429)
    }
    await RawPeer.open(port, '/a', via('192.0.2.1, 192.0.2.2'))
  })

  for (const trustProxy of [false, true]) {
    test(`does not limit what comes through injectWS without an address (trustProxy: ${trustProxy})`, async (t) => {
      const { app } = await start(t, { ...perAddress, fastify: { trustProxy } })
      for (let i = 0; i < 3; i++) {
        const client = await app.injectWS('/a')
        t.after(() => client.terminate())
      }
      assert.equal(app.websocketLifecycle.stats().open, 3)
    })
  }

  test('limits what comes through injectWS with one', async (t) => {
    const { app } = await start(t, perAddress)
    const from = { socket: { remoteAddress: '192.0.2.1' } } as object
    const client = await app.injectWS('/a', from)
    t.after(() => client.terminate())
    await assert.rejects(async () => app.injectWS('/a', from), /Unexpected server response: 429/)
  })
})
