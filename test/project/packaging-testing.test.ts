// What tests of apps need, as it is published.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { installTarball, runNode } from '../support/servers/tarball.js'

/** What a user's CommonJS module may do. */
const SCRIPT = `
const { connect, manualClock, nothingLeft, ...others } = require('fastify-websocket-lifecycle/testing')
const app = require('fastify')()
const clock = manualClock(app)
app.register(require('fastify-websocket-lifecycle'))
app.after(() => app.get('/', { websocket: true, idleTimeout: 60_000 }, () => {}))
async function main() {
  const peer = await connect(app)
  await clock.advance(62_000)
  const { code } = await peer.closed
  await app.close()
  await nothingLeft(app)
  console.log(JSON.stringify([code, Object.keys(others)]))
}
main()
`

test('what tests need is an entry of its own, free of a test runner and of every other package', async (t) => {
  const installed = await installTarball()
  t.after(() => installed[Symbol.asyncDispose]())
  await writeFile(join(installed.dir, 'testing.cjs'), SCRIPT)
  const { code, stdout, stderr } = await runNode(['testing.cjs'], installed.dir)
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  const names = ['SomethingLeftError', 'UpgradeRefusedError', 'link', 'stallEventLoop']
  assert.deepEqual(JSON.parse(stdout), [3008, names])
  const read = async (file: string): Promise<string> =>
    readFile(join(installed.dir, 'package/dist', file), 'utf8')
  assert.doesNotMatch(await read('testing.js'), /^import .* from "(?!node:)/m)
  assert.doesNotMatch(await read('index.js'), /UpgradeRefusedError|class HandClock/)
  const declared = await read('testing.d.ts')
  assert.doesNotMatch(declared, /declare module|\$\d/)
  const [, list = ''] = /^export \{ (.*) \};$/m.exec(declared) ?? []
  const types = [...list.matchAll(/type (\w+)/g)].map(([, name = '']) => name)
  for (const name of types)
    assert.match(declared, new RegExp(`\\*/\n(?:interface|type) ${name}\\b`), name)
})
