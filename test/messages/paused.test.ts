import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { serveOne } from '../support/servers/server.js'

test('a close of ours is answered also where the app had paused reading', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  const socket = await nextSocket()
  socket.pause()
  socket.close(4000, 'done')
  const close = await socket.closed
  assert.deepEqual(close.received, { code: 4000, reason: 'done' })
  assert.equal(close.clean, true)
  client.terminate()
})
