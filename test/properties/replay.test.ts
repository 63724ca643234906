// A schedule that fails is printed as a script, and the script fails in the same way.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { groups } from '../support/models/groups.js'
import { kernel } from '../support/models/kernel.js'
import { holds, type Model, scriptOf } from '../support/models/property.js'
import { sessions } from '../support/models/sessions.js'
import { wrongKernel } from '../support/models/wrong-kernel.js'

/** A schedule that is found soon, and shrinks to little. */
const FIRST_SEED = 1

/** Runs a script where the project is: beside its `test/`. @returns what it says when it fails; `''` if it does not */
async function run(t: TestContext, script: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'replay-'))
  t.after(() => rmSync(dir, { recursive: true }))
  symlinkSync(resolve('test'), join(dir, 'test'))
  const file = join(dir, 'replay.mts')
  writeFileSync(file, script)
  return new Promise((done) => {
    execFile(process.execPath, ['--import', 'tsx', file], (error, _stdout, stderr) => {
      done(error === null ? '' : stderr)
    })
  })
}

test('what fails is shrunk, and printed as a script that fails in the same way', async (t) => {
  const failure = await holds(wrongKernel, 50).then(
    () => assert.fail('Expected the property to fail'),
    (error: unknown) => (error instanceof Error ? error.message : ''),
  )
  const [told = '', script = ''] = failure.split('\n\n// Save')
  const [what] = /3 have places on few|got 101, not 503 TOO_MANY_CONNECTIONS/.exec(told) ?? []
  assert.ok(what !== undefined, failure)
  assert.match(script, /^ it as replay.mts beside package.json/)
  assert.ok((await run(t, `// Save${script}`)).includes(what))
})

async function assertPlays<Schedule>(t: TestContext, model: Model<Schedule>): Promise<void> {
  const [schedule] = fc.sample(model.schedules, { numRuns: 1, seed: FIRST_SEED })
  assert.equal(await run(t, scriptOf(model, schedule as Schedule)), '')
}

test('each model can be replayed by such a script', async (t) => {
  await Promise.all([assertPlays(t, kernel), assertPlays(t, groups), assertPlays(t, sessions)])
})
