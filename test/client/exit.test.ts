import assert from 'node:assert/strict'
import { test } from 'node:test'
import { start } from '../support/servers/program.js'

test('a process whose clients are closed ends by itself', async (t) => {
  const { exited } = start(t, 'test/stories/closed-client.ts')
  const { code, stderr } = await exited
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})
