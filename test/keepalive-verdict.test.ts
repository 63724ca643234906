import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { FakeClock } from './support/fake-clock.js'
import { serveOne } from './support/server.js'

test('a connection that the app ends between a suspicion and its verdict ends for that reason', async (t) => {
  const clock = new FakeClock()
  const { port, nextSocket } = await serveOne(t, {
    clock,
    options: { keepalive: { interval: 1_000, timeout: 500 } },
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { autoPong: false })
  t.after(() => client.terminate())
  const socket = await nextSocket()
  // The first turn that keepalive asks for is its ping's, the second that of the suspicion.
  let turns = 0
  const { setImmediate } = globalThis
  t.mock.method(globalThis, 'setImmediate', (callback: () => void) => {
    if (++turns === 2) socket.close(4_000)
    return setImmediate(callback)
  })
  await clock.advance(1_000 * 1.1 + 500 + 200)
  assert.equal((await socket.closed).cause, 'server-close')
})
