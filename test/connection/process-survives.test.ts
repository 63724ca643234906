import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tell } from '../support/servers/story.js'

test('a process in which every callback fails in every way lives on, and ends when it should', async (t) => {
  const story = tell(t, 'callbacks-that-fail', 'ours')
  const { code, signal, stdout, stderr } = await story.exited
  assert.equal(stderr, '')
  assert.deepEqual(stdout, ['alive', 'closed'])
  assert.deepEqual({ code, signal }, { code: 0, signal: null })
})

test('on @fastify/websocket alone one failing listener ends the process', async (t) => {
  const story = tell(t, 'callbacks-that-fail', 'bare', 'a listener by on()')
  const { code, stdout, stderr } = await story.exited
  assert.equal(code, 1)
  assert.deepEqual(stdout, [])
  assert.match(stderr, /Error: of the app/)
})
