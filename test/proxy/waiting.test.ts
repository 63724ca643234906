// What nginx does with those who wait for long: before the 101, and on a connection that is idle.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { within } from '../support/time/bound.js'
import { gate, type Gate } from '../support/time/gate.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { type Behind, HOST, type RawVisitor, serveBehind } from './support/behind.js'

const SLOW = { 'x-slow': 'yes' }

interface Served extends Behind {
  /** Opens when an upgrade has come to the slow hook, which never settles. */
  readonly seen: Gate
  /** Opens when the scope of that upgrade has been released. */
  readonly released: Gate
}

/** One connection may be open, or on its way through a hook that takes its time. */
async function start(t: TestContext, location = HOST): Promise<Served> {
  const [seen, released] = [gate(), gate()]
  const behind = await serveBehind(t, {
    location,
    route: { maxConnections: 1, maxConnectionsPerKey: { max: 1 }, handshakeTimeout: false },
    routes: (app) => {
      app.addHook('preHandler', async (request) => {
        if (request.headers['x-slow'] === undefined) return
        request.wsScope?.defer(released.open)
        seen.open()
        await new Promise(() => {})
      })
    },
  })
  return { ...behind, seen, released }
}

/** That there is room again for one, and for no more than one. */
async function assertRoom({ open, refusal, nextSocket, app }: Served): Promise<void> {
  await open()
  await nextSocket()
  assert.equal((await refusal()).status, 503)
  assert.equal(app.websocketLifecycle.stats().opened, 1)
}

const DEPARTURES: Readonly<Record<string, (visitor: RawVisitor) => unknown>> = {
  'with a FIN': ({ stream }) => stream.end(),
  'with a RST': ({ tcp }) => tcp.resetAndDestroy(),
}

describe('a client that leaves during a hook', () => {
  for (const [how, leave] of Object.entries(DEPARTURES)) {
    test(`${how} gives its place back`, async (t) => {
      const served = await start(t)
      const visitor = await served.dial()
      visitor.stream.write(RawPeer.handshake(served.nginx.port, '/', SLOW))
      await within(served.seen.opened, 'the hook')
      assert.equal((await served.refusal()).status, 503)
      leave(visitor)
      await within(served.released.opened, 'the end of the scope')
      await assertRoom(served)
    })
  }
})

describe('where nginx waits for two seconds', () => {
  const location = `${HOST} proxy_read_timeout 2s;`

  test('a client gets its 504 for a hook that takes longer, and its place is given back', async (t) => {
    const served = await start(t, location)
    const { status } = await served.refusal({ headers: SLOW })
    assert.equal(status, 504)
    await within(served.released.opened, 'the end of the scope')
    await assertRoom(served)
  })

  test('an idle connection stays open that is pinged more often, and no other does', async (t) => {
    const { app, open, nextSocket } = await serveBehind(t, {
      location,
      options: { keepalive: { interval: 250 } },
      routes: (app) => void app.get('/unpinged', { websocket: true, keepalive: false }, () => {}),
    })
    const pinged = await open()
    const socket = await nextSocket()
    for (let i = 0; i < 2; i++) {
      const unpinged = await open({ path: '/unpinged' })
      const other = [...app.websocketLifecycle.connections].find((some) => some !== socket)
      assert.equal((await within(unpinged.closed, 'the end')).code, 1006)
      assert.equal((await other?.closed)?.cause, 'connection-lost')
    }
    await within(pinged.roundTrip(), 'a pong')
    assert.equal(socket.readyState, socket.OPEN)
    assert.notEqual(socket.latency, undefined)
  })
})
