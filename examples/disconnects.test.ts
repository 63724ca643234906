// A test for each way in which a connection ends. Run it with `npx tsx --test examples/disconnects.test.ts`; with a
// REDIS_URL the last one runs, too.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, {
  type LifecycleSocket,
  type RouteLifecycleOptions,
} from 'fastify-websocket-lifecycle'
import { websocketCluster } from 'fastify-websocket-lifecycle/redis'
import {
  connect,
  link,
  type ManualClock,
  manualClock,
  nothingLeft,
  type Peer,
} from 'fastify-websocket-lifecycle/testing'
import { Redis } from 'ioredis'

interface Open {
  readonly app: FastifyInstance
  readonly clock: ManualClock
  /** The client's end of a connection, and the server's. */
  readonly peer: Peer
  readonly socket: LifecycleSocket
}

/** Your own app, with one connection. Its time stands still. When the test is over, nothing may be left. */
async function open(t: TestContext, route: RouteLifecycleOptions = {}): Promise<Open> {
  const app = Fastify()
  const clock = manualClock(app) // before the plugin
  t.after(async () => {
    await clock.until(app.close())
    await nothingLeft(app)
  })
  await app.register(websocketLifecycle)
  app.get('/', { websocket: true, ...route }, () => {})
  const peer = await connect(app, '/')
  const [socket] = app.websocketLifecycle.connections
  assert.ok(socket)
  return { app, clock, peer, socket }
}

test('client-close: the client says goodbye', async (t) => {
  const { peer, socket } = await open(t)
  await peer.close(1000, 'done')
  const { cause, expected, received } = await socket.closed
  assert.deepEqual(
    [cause, expected, received],
    ['client-close', true, { code: 1000, reason: 'done' }],
  )
})

test('server-close: your code says goodbye', async (t) => {
  const { peer, socket } = await open(t)
  socket.close(4000, 'game over')
  assert.equal((await peer.closed).reason, 'game over')
  assert.equal((await socket.closed).cause, 'server-close')
})

test('server-terminate: your code ends it without a word', async (t) => {
  const { peer, socket } = await open(t)
  socket.terminate()
  assert.equal((await peer.closed).code, 1006)
  assert.equal((await socket.closed).cause, 'server-terminate')
})

test('shutdown: the app closes', async (t) => {
  const { app, peer, socket } = await open(t, { onShutdown: (socket) => void socket.send('bye') })
  await app.close()
  assert.equal(await peer.next(), 'bye')
  assert.equal((await peer.closed).code, 1012)
  assert.equal((await socket.closed).cause, 'shutdown')
})

test('handler-error: your code throws', async (t) => {
  const { peer, socket } = await open(t, {
    onMessage: () => {
      throw new Error('a bug')
    },
  })
  peer.send('hello')
  assert.equal((await peer.closed).code, 1011)
  const { cause, error } = await socket.closed
  assert.deepEqual([cause, error?.message], ['handler-error', 'a bug'])
})

test('idle-timeout: nobody says anything for too long', async (t) => {
  const { clock, peer, socket } = await open(t, { idleTimeout: 600_000 })
  await clock.advance(590_000)
  peer.send('still here')
  await clock.advance(590_000)
  assert.equal(socket.readyState, socket.OPEN)
  await clock.advance(20_000)
  assert.equal((await peer.closed).code, 3008)
  assert.equal((await socket.closed).cause, 'idle-timeout')
})

test('lifetime-expired: it is open for too long', async (t) => {
  const { clock, peer, socket } = await open(t, { maxLifetime: 3_600_000 })
  await clock.until(socket.closed)
  assert.equal((await peer.closed).code, 1001)
  assert.equal((await socket.closed).cause, 'lifetime-expired')
})

test('auth-expired: the credentials are over', async (t) => {
  const { clock, peer, socket } = await open(t, { expiresAt: () => Date.now() + 900_000 })
  await clock.until(socket.closed)
  assert.equal((await peer.closed).code, 3000)
  assert.equal((await socket.closed).cause, 'auth-expired')
})

test('replaced: the same user comes again', async (t) => {
  const one = { max: 1, key: () => 'ann', whenFull: 'replace' } as const
  const { app, peer, socket } = await open(t, { maxConnectionsPerKey: one })
  await connect(app, '/')
  assert.equal((await peer.closed).code, 4409)
  assert.equal((await socket.closed).cause, 'replaced')
})

test('slow-consumer: the client does not read', async (t) => {
  const { clock, peer, socket } = await open(t)
  peer.freeze()
  while (socket.readyState === socket.OPEN) socket.send('x'.repeat(100_000))
  const { cause, code } = await clock.until(socket.closed)
  assert.deepEqual([cause, code], ['slow-consumer', 1006])
})

test('rate-limited: the client sends too much', async (t) => {
  const { peer, socket } = await open(t, { messageRate: { max: 10, window: 1_000 } })
  for (let i = 0; i < 11; i++) peer.send('me, me, me')
  assert.equal((await peer.closed).code, 1008)
  assert.equal((await socket.closed).cause, 'rate-limited')
})

test('message-too-big: a message is larger than maxPayload', async (t) => {
  const { peer, socket } = await open(t)
  peer.send('x'.repeat(1024 * 1024 + 1))
  assert.equal((await peer.closed).code, 1009)
  assert.equal((await socket.closed).cause, 'message-too-big')
})

test('protocol-error: the client speaks no WebSocket', async (t) => {
  const { peer, socket } = await open(t)
  peer.sendRaw('GET / HTTP/1.1\r\n\r\n')
  assert.equal((await peer.closed).code, 1002)
  assert.equal((await socket.closed).cause, 'protocol-error')
})

test('connection-lost: the client ends without a goodbye, as when its process is killed', async (t) => {
  const { peer, socket } = await open(t)
  peer.drop()
  const { cause, expected } = await socket.closed
  assert.deepEqual([cause, expected], ['connection-lost', false])
})

test('connection-reset: the client has crashed', async (t) => {
  const { peer, socket } = await open(t)
  peer.reset()
  const { cause, error } = await socket.closed
  assert.equal(cause, 'connection-reset')
  assert.match(String(error), /ECONNRESET/)
})

test('heartbeat-timeout: the client has lost its network', async (t) => {
  const { app, clock } = await open(t)
  const line = await link(app)
  const peer = await connect(line, '/')
  const [, socket] = app.websocketLifecycle.connections
  line.cut() // both ends believe that they are connected
  peer.send('is anybody there?')
  await clock.advance(50_000)
  assert.equal((await socket?.closed)?.cause, 'heartbeat-timeout')
})

const url = process.env['REDIS_URL']
test('node-fenced: this node is cut off from Redis', { skip: url === undefined }, async (t) => {
  const line = await link(String(url))
  t.after(() => line.close())
  const client = new Redis(line.url)
  client.on('error', () => {}) // the line
  const app = Fastify() // in real time: Redis has a clock of its own
  t.after(() => app.close())
  app.addHook('onClose', async () => client.disconnect())
  await app.register(websocketLifecycle)
  await app.register(websocketCluster, { client, lease: 3_000, prefix: `test-${process.pid}` })
  const durable = { data: () => 'seat 1', release: () => {}, whenCutOff: 'close' } as const
  app.get('/', { websocket: true, cluster: { durable } }, () => {})
  const peer = await connect(app, '/', { timeout: 10_000 })
  const [socket] = app.websocketLifecycle.connections
  line.cut()
  assert.equal((await peer.closed).code, 1012)
  line.restore()
  assert.equal((await socket?.closed)?.cause, 'node-fenced')
})
