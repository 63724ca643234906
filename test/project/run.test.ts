import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { linkDependencies, root, runNode } from '../support/servers/tarball.js'

test('a room is one process, in the order of its files; one that cannot be loaded fails, and keeps none from its tests', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'run-'))
  t.after(() => rm(dir, { recursive: true }))
  await linkDependencies(join(dir, 'node_modules'))
  const first = "import { test } from 'node:test'\n"
  const files = {
    // It takes its time to load. What comes after it must not be there before it.
    'a/passes.test.ts': `${first}for (let turns = 0; turns < 1000; turns += 1) await new Promise(setImmediate)
test('passes', () => { globalThis.name = 'shared' })`,
    'a/sees.test.ts': `${first}test('sees', () => { if (globalThis.name !== 'shared') throw 1 })`,
    'b/broken.test.ts': "throw new Error('cannot be loaded')",
    'b/runs.test.ts': `${first}test('runs', () => {})`,
    'browser/left-out.test.ts': "throw new Error('was not left out')",
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(dir, 'test', name, '..'), { recursive: true })
    await writeFile(join(dir, 'test', name), text)
  }
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }')
  const run = (...beginnings: string[]): ReturnType<typeof runNode> =>
    runNode(['--import', 'tsx', join(root, 'test/run.ts'), ...beginnings], dir)

  const all = await run()
  assert.equal(all.code, 1)
  assert.match(
    all.stdout,
    /^4 files of tests: .*\nLeft out: the demo in a browser \(npm run test:browser\), /,
  )
  assert.match(all.stdout, /cannot be loaded/)
  assert.match(all.stdout, /✔ runs/)
  assert.match(all.stdout, /pass 4\n[^]*fail 1\n/)

  const one = await run('test/a')
  assert.equal(one.code, 0, one.stdout)
  assert.match(one.stdout, /pass 3\n/)

  assert.doesNotMatch(one.stdout, /Left out/)

  const none = await run('test/a', 'test/c')
  assert.equal(none.code, 1)
  assert.match(none.stderr, /Expected the beginning of a path of a test, got test\/c/)
})
