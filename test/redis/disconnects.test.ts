// The one example of a disconnect that needs a Redis.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { start } from '../support/servers/program.js'
import { startRedis } from '../support/redis/redis-server.js'

test('node-fenced of examples/disconnects.test.ts passes', async (t) => {
  const { port } = await startRedis(t)
  const variables = { REDIS_URL: `redis://127.0.0.1:${port}` }
  const args = [
    '--test-reporter=tap',
    '--test-name-pattern=node-fenced',
    'examples/disconnects.test.ts',
  ]
  const { code, stdout } = await start(t, '--test', variables, args).exited
  assert.equal(code, 0, stdout.join('\n'))
  assert.ok(stdout.includes('# pass 1'), stdout.join('\n'))
})
