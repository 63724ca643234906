import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import websocketCluster from '../../lib/redis/index.js'
import { CLIENTS } from '../support/redis/clients.js'
import { startRedis, tell } from '../support/redis/redis-server.js'
import { portOf } from '../support/servers/app.js'
import { until, untilAsync } from '../support/time/timed.js'

test('a node leaves when its drain is over, also while a request of which half has come holds up the close', async (t) => {
  const server = await startRedis(t)
  const connectTo = CLIENTS['ioredis 6']
  assert.ok(connectTo)
  const { client, quit } = await connectTo(server.port)
  t.after(quit)
  const app = Fastify()
  await app.register(websocketLifecycle)
  await app.register(websocketCluster, { client })
  await app.listen({ host: '127.0.0.1', port: 0 })
  await untilAsync(async () => app.websocketCluster.connected)
  const { node } = app.websocketCluster

  const half = connect(portOf(app), '127.0.0.1')
  half.write('GET / HTTP/1.1\r\nHost: loc')
  const [socket] = (await once(app.server, 'connection')) as [Socket]
  await until(() => socket.bytesRead > 0)
  let isClosed = false
  const closed = app.close().then(() => {
    isClosed = true
  })
  const score = async (): Promise<string> => tell(server.port, `ZSCORE wsl:{c}:dead ${node}`)
  // A tombstone.
  await untilAsync(async () => /^\$\d+\r\n-/.test(await score()))
  assert.equal(isClosed, false)
  half.destroy()
  await closed
})
