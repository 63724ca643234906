// The example that tests each disconnect: what its reader runs passes; the last one needs a Redis (test/redis/disconnects.test.ts).
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { start } from '../support/servers/program.js'

it('examples/disconnects.test.ts passes', async (t) => {
  const args = ['--test-reporter=tap', 'examples/disconnects.test.ts']
  const { code, stdout, stderr } = await start(t, '--test', {}, args).exited
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout.join('\n'))
  assert.deepEqual(
    stdout.filter((line) => /^# (?:tests|pass|fail|skipped) /.test(line)),
    ['# tests 17', '# pass 16', '# fail 0', '# skipped 1'],
  )
})
