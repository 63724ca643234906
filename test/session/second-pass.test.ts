// What `npm run test:resume` relies on: see test/support/servers/second-pass.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectOne } from '../support/servers/server.js'
import { isSecondPass } from '../support/servers/second-pass.js'

test('in the second pass, and only there, a plain client has a session; its handler sees a socket', async (t) => {
  const { app, socket } = await connectOne(t)
  const { connections, sessions } = app.websocketLifecycle
  assert.deepEqual([...connections], [socket])
  assert.equal(sessions.size, isSecondPass ? 1 : 0)
  assert.equal(socket.listenerCount('message'), 0)
})
