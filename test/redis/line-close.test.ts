import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Line } from '../../lib/redis/client.js'
import { IoredisDialect } from '../../lib/redis/ioredis.js'
import { CLIENTS } from '../support/redis/clients.js'
import { lineTo } from '../support/redis/line.js'
import { startRedis, tell } from '../support/redis/redis-server.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

for (const name of ['ioredis 6', 'ioredis 5', 'iovalkey']) {
  test(`${name}: a line that is closed before Redis has answered it throws nothing at anybody`, async (t) => {
    const server = await startRedis(t)
    const way = await lineTo(t, server.port)
    const connect = CLIENTS[name]
    assert.ok(connect)
    const { client, quit } = await connect(way.port)
    t.after(quit)
    let isHearing = false
    let isClosed = false
    const line: Line = new IoredisDialect(client).openLine({
      ready() {
        if (isHearing) {
          way.cut()
          line.close()
          isClosed = true
        } else void line.subscribe('news').then(() => (isHearing = true))
      },
      heard() {},
      failed() {},
    })
    await until(() => isHearing)
    await tell(server.port, 'CLIENT KILL TYPE pubsub')
    // What nobody catches fails this test.
    await until(() => isClosed)
    await turns(20)
  })
}
