// A session of a node that others do not know yet: they look for it.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { freePort } from '../../examples/cluster/free-port.js'
import websocketLifecycle, { type LifecycleSession } from '../../lib/index.js'
import { Deferred } from '../../lib/platform/deferred.js'
import { websocketCluster } from '../../lib/redis/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawStream } from '../support/peers/raw-stream.js'
import { CLIENTS } from '../support/redis/clients.js'
import { names, startNode } from '../support/redis/nodes.js'
import { type RedisServer, startRedis, tell } from '../support/redis/redis-server.js'
import { type Front, requestTo, serveFront, serveOwner, SWITCH } from '../support/servers/piping.js'
import { until, untilAsync } from '../support/time/timed.js'

/** In ms: no node renews again while a test runs. */
const LEASE = 300_000

interface App {
  readonly url: string
  readonly sessions: readonly LifecycleSession[]
  readonly close: () => Promise<void>
}

async function serveNode(t: TestContext, redis: RedisServer): Promise<App> {
  const { client, quit } = await CLIENTS['ioredis 6']!(redis.port)
  const port = await freePort()
  const sessions: LifecycleSession[] = []
  const app = Fastify()
  await app.register(websocketLifecycle)
  await app.register(websocketCluster, {
    client,
    lease: LEASE,
    address: `http://127.0.0.1:${port}`,
  })
  const resume = { key: () => null, window: 60_000 }
  app.get('/', { websocket: true, resume }, (session) => void sessions.push(session))
  await app.listen({ host: '127.0.0.1', port })
  const close = async (): Promise<void> => app.close()
  t.after(async () => {
    await close()
    quit()
  })
  await untilAsync(async () => app.websocketCluster.connected)
  return { url: `ws://127.0.0.1:${port}/`, sessions, close }
}

test('a session of a node that has just come is found by those that were there', async (t) => {
  const redis = await startRedis(t)
  const old = await serveNode(t, redis)
  const newcomer = await serveNode(t, redis)
  const before = await LinkPeer.confirmed(newcomer.url)
  before.cut()
  const [session = assert.fail()] = newcomer.sessions
  await until(() => session.suspended)
  session.send('while you were away')
  const peer = new LinkPeer(old.url, { resume: before.resume(1, 0) })
  await peer.expect('welcome')
  assert.equal(peer.welcome.isResumed, true)
  await peer.expect('while you were away')
  assert.deepEqual(old.sessions, [])
  peer.cut()
  // While Redis is there: otherwise they wait for it.
  await Promise.all([old.close(), newcomer.close()])
})

test('who looks learns of those that have come until then; for a hundred at once Redis is asked twice at most', async (t) => {
  const { port } = await startRedis(t)
  const one = await startNode(t, port, { lease: LEASE })
  await until(() => one.node.isConnected)
  const nodes = [one.node]
  const come = async (): Promise<string> => {
    const { node } = await startNode(t, port, { lease: LEASE })
    nodes.push(node)
    await until(() => node.isConnected)
    return node.id
  }
  const first = await come()
  assert.equal(one.node.others.has(first), false)
  await one.node.look()
  assert.equal(one.node.others.has(first), true)
  const second = await come()
  const told = new Set<unknown>()
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      await one.node.look()
      told.add(one.node.others)
    }),
  )
  assert.ok(told.size <= 2, `${told.size}`)
  assert.equal(one.node.others.has(second), true)
  // Redis cannot tell: it stays as it was told before.
  await tell(port, `SET ${names.nodes} damaged`)
  await one.node.look()
  assert.equal(one.node.others.has(second), true)
  await tell(port, `DEL ${names.nodes}`)
  // While Redis is there: otherwise they wait for it.
  await Promise.all(nodes.map(async (node) => node.leave()))
  await one.node.look()
})

/** A front whose node finds nobody before the test says so. */
async function serveSeeker(t: TestContext): Promise<{ front: Front; told: () => void }> {
  const front = await serveFront(t, {})
  const looked = new Deferred<void>()
  front.node.isConnected = true
  front.node.look = async () => looked.promise
  return { front, told: () => looked.resolve() }
}

async function seek(front: Front, token = 'A.secret'): Promise<RawStream> {
  const client = await RawStream.dial(front.port)
  const { length } = front.raws
  client.socket.write(`${requestTo(front.port, token)}first`)
  await until(() => front.raws.length > length)
  return client
}

test('what the client sends while its node is looked for comes to that node', async (t) => {
  const owner = await serveOwner(t)
  const { front, told } = await serveSeeker(t)
  const client = await seek(front)
  client.socket.write(' second')
  assert.equal(front.pipe.size, 1)
  front.node.others.set('A', owner)
  told()
  const call = await owner.called()
  call.socket.write(SWITCH)
  await client.came(SWITCH)
  await call.came('first second')
  assert.deepEqual([front.back, front.kept, front.clock.pending], [[], [], 0])
  client.socket.destroy()
})

for (const [what, over] of [
  ['nobody is found', (_front: Front, told: () => void) => told()],
  ['nothing is heard for 2 s', async (front: Front) => front.clock.advance(2_000)],
  ['this node shuts down', (front: Front) => front.pipe.cut()],
] as const) {
  test(`${what}: the upgrade comes back, in its own async context`, async (t) => {
    const contexts = new AsyncLocalStorage<string>()
    const { front, told } = await serveSeeker(t)
    const client = await seek(front, 'here.secret')
    const [upgrade = assert.fail()] = front.kept
    const seen: unknown[] = []
    const note = (): unknown => seen.push(contexts.getStore())
    contexts.run('its own', () => {
      assert.equal(front.pipe.forward(upgrade, 'A.secret', note), true)
    })
    await over(front, told)
    await until(() => seen.length > 0)
    told()
    await front.clock.advance(2_000)
    assert.deepEqual([seen, front.pipe.size, front.clock.pending], [['its own'], 0, 0])
    assert.equal(upgrade.raw.listenerCount('error'), 0)
    client.socket.destroy()
  })
}

test('a client that has gone while its node was looked for is nobody’s', async (t) => {
  const { front, told } = await serveSeeker(t)
  const client = await seek(front)
  const [raw = assert.fail()] = front.raws
  client.socket.resetAndDestroy()
  await until(() => raw.destroyed)
  told()
  await until(() => front.pipe.size === 0)
  assert.deepEqual([front.back, front.kept], [[], []])
})

test('nobody is looked for by its own name, by what is no name, or without Redis', async (t) => {
  const { front } = await serveSeeker(t)
  await seek(front, 'here.secret')
  await seek(front, 'secret')
  front.node.isConnected = false
  await seek(front)
  assert.deepEqual([front.kept.length, front.pipe.size], [3, 0])
  for (const raw of front.raws) raw.destroy()
})
