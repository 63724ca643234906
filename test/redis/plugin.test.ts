// The plugin as an app has it: what it takes, what it refuses, and several nodes through its public face alone.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { clusterOf } from '../../lib/cluster/door.js'
import type { CloseInfo, LifecycleSocket, RouteLifecycleOptions } from '../../lib/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { websocketCluster } from '../../lib/redis/index.js'
import { Client } from '../support/peers/client.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { startRedis } from '../support/redis/redis-server.js'
import { freePort } from '../../examples/cluster/free-port.js'
import { until } from '../support/time/timed.js'

interface Served {
  readonly app: FastifyInstance
  readonly url: string
  readonly events: string[]
  readonly sockets: LifecycleSocket[]
  readonly closes: CloseInfo[]
}

async function serve(
  t: TestContext,
  redisPort: number,
  route: RouteLifecycleOptions = {},
): Promise<Served> {
  const client = new Redis(redisPort)
  client.on('error', () => {})
  const port = await freePort()
  const app = Fastify()
  const events: string[] = []
  const sockets: LifecycleSocket[] = []
  const closes: CloseInfo[] = []
  app.addHook('onClose', async () => client.disconnect())
  t.after(async () => app.close())
  await app.register(createPlugin())
  const address = `http://127.0.0.1:${port}`
  await app.register(websocketCluster, { client, address })
  app.get<{ Querystring: { in?: string } }>(
    '/',
    {
      websocket: true,
      groups: ({ query }) => query.in,
      onClose: (_socket, _request, close) => void closes.push(close),
      ...route,
    },
    (socket) => void sockets.push(socket),
  )
  app.get(
    '/session',
    {
      websocket: true,
      resume: { key: () => null },
      onMessage: (session, _request, message) => void session.send(`echo ${String(message)}`),
      onResume: () => void events.push('resume'),
    },
    () => void events.push('handler'),
  )
  await app.listen({ host: '127.0.0.1', port })
  // A server that starts waits for that for two seconds, and not longer.
  await until(() => app.websocketCluster.connected)
  return { app, url: `ws://127.0.0.1:${port}`, events, sockets, closes }
}

test('members of a group are found, told and closed over all nodes', async (t) => {
  const { port } = await startRedis(t)
  const [one, two] = [await serve(t, port), await serve(t, port)]
  assert.notEqual(one.app.websocketCluster.node, two.app.websocketCluster.node)
  assert.ok(two.app.websocketCluster.fence > one.app.websocketCluster.fence)
  assert.deepEqual(
    [one, two].map(({ app }) => app.websocketCluster.connected),
    [true, true],
  )
  const [first, second] = [await Client.open(`${one.url}/?in=room`), await Client.open(two.url)]
  await until(() => one.sockets.length + two.sockets.length === 2)
  const [late = assert.fail()] = two.sockets
  two.app.websocketCluster.join(late, 'room', 'other')
  two.app.websocketCluster.leave(late, 'other')
  assert.deepEqual(late.groups, ['room'])
  const open = await clusterOf(one.app).node?.countOpen()
  assert.deepEqual(
    [...(open ?? [])].map(([, count]) => count),
    [1, 1],
  )
  const cluster = one.app.websocketCluster
  let found = (await cluster.find('room')).found
  while (found.length < 2) found = (await cluster.find('room')).found
  assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([one.sockets[0]?.id, late.id]))
  assert.deepEqual(await cluster.publish('room', 'hello'), { nodes: 2, unreached: [] })
  assert.deepEqual([await first.next(), await second.next()], ['hello', 'hello'])
  assert.deepEqual(await cluster.close('room', 4000, 'bye'), { closed: 2, unreached: [] })
  assert.deepEqual(await second.closed, { code: 4000, reason: 'bye' })
})

test('a device that comes back on another node replaces its connection there', async (t) => {
  const { port } = await startRedis(t)
  const route: RouteLifecycleOptions = {
    maxConnectionsPerKey: { max: 1, key: () => 'anna', whenFull: 'replace', scope: 'cluster' },
  }
  const [one, two] = [await serve(t, port, route), await serve(t, port, route)]
  const older = await Client.open(one.url)
  const newer = await Client.open(two.url)
  assert.deepEqual(await older.closed, { code: 4409, reason: 'replaced' })
  await newer.roundTrip()
  await until(() => one.closes.length === 1)
  assert.equal(one.closes[0]?.cause, 'replaced')
})

test('a client that comes to another node goes on with its session', async (t) => {
  const { port } = await startRedis(t)
  // A node hears of others when it registers, and with each renewal.
  const two = await serve(t, port)
  const one = await serve(t, port)
  const first = await LinkPeer.confirmed(`${two.url}/session`)
  first.cut()
  let peer = await LinkPeer.connect(`${one.url}/session`, { resume: first.resume(1, 0) })
  assert.equal(peer.welcome.isResumed, true)
  peer.send('x')
  await peer.expect('echo x')
  await until(() => two.events.includes('resume'))
  assert.deepEqual([one.events, two.events], [[], ['handler', 'resume']])
  // The node between drains: its clients come through another one.
  const drained = one.app.close()
  await peer.closed
  await drained
  peer = await LinkPeer.connect(`${two.url}/session`, { resume: first.resume(2, 1) })
  assert.equal(peer.welcome.isResumed, true)
})

test('a durable cleanup is in Redis as long as its connection', async (t) => {
  const { port } = await startRedis(t)
  const released: unknown[] = []
  const { app, url } = await serve(t, port, {
    cluster: {
      durable: { data: () => ({ seat: 7 }), release: ({ data }) => void released.push(data) },
    },
  })
  const redis = new Redis(port)
  t.after(() => redis.disconnect())
  const key = `wsl:{n:${app.websocketCluster.node}}:durable`
  const client = await Client.open(url)
  assert.equal(await redis.hlen(key), 1)
  client.ws.close()
  await until(() => released.length === 1)
  assert.deepEqual(released, [{ seat: 7 }])
  await app.close()
  assert.deepEqual((await redis.keys('*')).toSorted(), ['wsl:{c}:dead', 'wsl:{c}:fence'])
})

test('it is registered once for each server, and after the plugin that it serves', async (t) => {
  const { port } = await startRedis(t)
  const { app } = await serve(t, port)
  assert.ok(app.websocketCluster.connected)
  const another = Fastify()
  t.after(async () => another.close())
  const client = new Redis(port)
  client.on('error', () => {})
  another.addHook('onClose', async () => client.disconnect())
  await another.register(createPlugin())
  await another.register(websocketCluster, { client })
  await assert.rejects(async () => another.register(websocketCluster, { client }), {
    code: 'FST_ERR_WSL_ALREADY_REGISTERED',
  })
})

const WHERE = 'in the options of fastify-websocket-lifecycle/redis'
const good = { duplicate: () => {}, on: () => {}, call: () => {} }
for (const [options, message] of [
  [{}, 'Expected `client` to be a client of ioredis, iovalkey or node-redis'],
  [{ client: null }, 'Expected `client` to be a client of ioredis, iovalkey or node-redis'],
  [{ client: 'redis://127.0.0.1' }, 'Expected `client` to be a client of ioredis'],
  [{ client: { duplicate() {} } }, 'Expected `client` to be a client of ioredis'],
  [{ client: { duplicate() {}, on() {}, get: 1 } }, 'Expected `client` to be a client of ioredis'],
  [{ client: good, prefix: '{x}' }, 'Expected `prefix` to be a string that is not empty, without'],
  [{ client: good, prefix: '' }, 'Expected `prefix` to be a string that is not empty, without'],
  [
    { client: good, lease: 2_999 },
    'Expected `lease` to be a number of milliseconds from 3000 to 300000',
  ],
  [{ client: good, address: 'x' }, 'Expected `address` to be an origin'],
  [
    { client: good, cleanup: { rate: 0 } },
    'Expected `cleanup.rate` to be a whole number of releases from 1',
  ],
  [{ client: good, leases: 1 }, 'Expected a known option, got `leases`'],
] as const) {
  test(`it refuses ${JSON.stringify(options)}`, async (t) => {
    const app = Fastify()
    t.after(async () => app.close())
    await app.register(createPlugin())
    await assert.rejects(
      async () => app.register(websocketCluster, options as never),
      (error: Error & { code?: string }) =>
        error.code === 'FST_ERR_WSL_INVALID_OPTION' &&
        error.message.startsWith(message) &&
        error.message.endsWith(WHERE),
    )
  })
}
