// @fastify/http-proxy with `websocket: true` on our server: what is proxied is the proxy's, and our routes are ours.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer } from 'ws'
import { within } from '../support/time/bound.js'
import { Client, refusal } from '../support/peers/client.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'
import { surviveUncaught } from '../support/time/uncaught.js'

const ORDERS = ['before', 'after'] as const
const PREFIXES = ['/up', '/'] as const

/** ws would wait for 30 s for the close frame of a peer that says nothing; its types do not know that option yet. */
const IMPATIENT = { clientTracking: true, closeTimeout: 200 }

interface World {
  readonly app: FastifyInstance
  readonly port: number
  /** A path that is proxied, behind the prefix. */
  readonly proxied: (path: string) => string
  readonly own: string
  /** What would have ended the process. */
  readonly uncaught: unknown[]
  /** The codes with which the upstream's connections have closed. */
  readonly upstreamCloses: number[]
}

/** An own server, with WebSockets that say what was asked for. */
async function serveUpstream(t: TestContext, closes: number[]): Promise<string> {
  const server = createServer((_request, response) => response.end('page of the upstream'))
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, { url }) => {
    socket.send(`upstream ${url}`)
    socket.on('close', (code) => closes.push(code))
    socket.on('message', (data: Buffer, isBinary) => {
      socket.send(isBinary ? data : `upstream ${data.toString()}`, { binary: isBinary })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serveBoth(
  t: TestContext,
  order: (typeof ORDERS)[number],
  prefix: (typeof PREFIXES)[number],
): Promise<World> {
  const uncaught = surviveUncaught(t)
  const upstreamCloses: number[] = []
  const upstream = await serveUpstream(t, upstreamCloses)
  const proxy = (app: FastifyInstance): unknown =>
    app.register(httpProxy, {
      upstream,
      prefix,
      websocket: true,
      wsServerOptions: IMPATIENT,
    })
  const app = await serve(t, {
    ...(order === 'before' && { before: proxy }),
    routes: (app) => {
      if (order === 'after') void proxy(app)
      app.get('/own', { websocket: true }, (socket) => {
        socket.on('message', (data: Buffer) => socket.send(`own ${data.toString()}`))
      })
    },
  })
  const url = `ws://127.0.0.1:${portOf(app)}`
  return {
    app,
    port: portOf(app),
    proxied: (path) => `${url}${prefix === '/' ? '' : prefix}${path}`,
    own: `${url}/own`,
    uncaught,
    upstreamCloses,
  }
}

async function assertProxied({ proxied }: Pick<World, 'proxied'>): Promise<Client> {
  const client = await within(Client.open(proxied('/feed')), 'the 101 of the upstream')
  assert.equal(await within(client.next(), 'a greeting'), 'upstream /feed')
  client.ws.send('hi')
  assert.equal(await within(client.next(), 'an answer'), 'upstream hi')
  client.ws.send(Buffer.alloc(100_000, 'x'))
  assert.equal((await within(client.next(), 'an answer')).length, 100_000)
  return client
}

async function assertOwn({ own }: Pick<World, 'own'>): Promise<Client> {
  const client = await within(Client.open(own), 'our 101')
  client.ws.send('hi')
  assert.equal(await within(client.next(), 'an answer'), 'own hi')
  return client
}

for (const order of ORDERS) {
  for (const prefix of PREFIXES) {
    describe(`a proxy at ${prefix}, registered ${order} ours`, () => {
      test('and our routes serve their own upgrades, side by side', async (t) => {
        const world = await serveBoth(t, order, prefix)
        const first = await assertOwn(world)
        const proxied = await assertProxied(world)
        await assertOwn(world)
        first.ws.send('still here')
        assert.equal(await within(first.next(), 'an answer'), 'own still here')
        assert.equal(world.app.websocketLifecycle.connections.size, 2)
        assert.equal(world.app.websocketLifecycle.stats().opened, 2)

        proxied.ws.close(4000)
        assert.equal((await within(proxied.closed, 'a close')).code, 4000)
        await until(() => world.upstreamCloses.length > 0)
        assert.deepEqual(world.upstreamCloses, [4000])
        assert.deepEqual(world.uncaught, [])
      })

      test('serves pages, and our routes refuse as they do', async (t) => {
        const world = await serveBoth(t, order, prefix)
        const page = await fetch(world.proxied('/page').replace('ws:', 'http:'))
        assert.equal(await page.text(), 'page of the upstream')
        const origin = 'https://stranger.example'
        assert.equal((await refusal(world.own, { headers: { origin } })).status, 403)
        await assertProxied(world)
        assert.deepEqual(world.uncaught, [])
      })

      test('still gets its upgrades while ours drains', async (t) => {
        const world = await serveBoth(t, order, prefix)
        const own = await assertOwn(world)
        const before = await assertProxied(world)
        const report = await within(world.app.websocketLifecycle.drain(), 'the drain')
        assert.equal((await own.closed).code, 1012)
        assert.equal((await refusal(world.own)).status, 503)

        assert.equal(report.closed, 1)
        before.ws.send('still here')
        assert.equal(await within(before.next(), 'an answer'), 'upstream still here')
        await assertProxied(world)
        assert.deepEqual(world.uncaught, [])
      })

      test('ends its own connections when the app closes, in time', async (t) => {
        const world = await serveBoth(t, order, prefix)
        const own = await assertOwn(world)
        const proxied = await assertProxied(world)
        const frozen = await RawPeer.open(world.port, new URL(world.proxied('/feed')).pathname)
        const report = world.app.websocketLifecycle.drain()
        await within(world.app.close(), 'app.close()')
        const { closed, terminated } = await report
        assert.deepEqual({ closed, terminated }, { closed: 1, terminated: 0 })
        assert.equal((await own.closed).code, 1012)
        assert.equal((await within(proxied.closed, 'a close')).code, 1005)
        await within(frozen.ended(), 'the end of a peer that says nothing')
        assert.deepEqual(world.uncaught, [])
      })
    })
  }
}
