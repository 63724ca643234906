import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Heartbeat, type Pulse } from '../../lib/core/liveness/heartbeat.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { serveOne } from '../support/servers/server.js'

type Advice = ReturnType<Heartbeat['look']>

test('a connection that the app ends between a suspicion and its verdict ends for that reason', async (t) => {
  const clock = new FakeClock()
  const { port, nextSocket } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 1_000, timeout: 500 } },
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { autoPong: false })
  t.after(() => client.terminate())
  const socket = await nextSocket()
  const look: unknown = Reflect.get(Heartbeat.prototype, 'look')
  const suspicions: Advice[] = []
  t.mock.method(Heartbeat.prototype, 'look', function (this: Heartbeat, pulse: Pulse): Advice {
    const advice = Reflect.apply(look as Heartbeat['look'], this, [pulse])
    if (advice === 'suspect' && suspicions.push(advice) === 1) {
      queueMicrotask(() => socket.close(4_000))
    }
    return advice
  })
  await clock.advance(1_000 * 1.1 + 500 + 200)
  assert.equal((await socket.closed).cause, 'server-close')
  assert.deepEqual(suspicions, ['suspect'])
})
