// The example that is a file of tests: its reader runs it, and all of it passes.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { start } from '../support/servers/program.js'

it('examples/echo.test.ts passes', async (t) => {
  const program = start(t, '--test', {}, ['--test-reporter=tap', 'examples/echo.test.ts'])
  const { code, stdout, stderr } = await program.exited
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout.join('\n'))
  assert.deepEqual(
    stdout.filter((line) => /^# (?:tests|pass|fail) /.test(line)),
    ['# tests 3', '# pass 3', '# fail 0'],
  )
})
