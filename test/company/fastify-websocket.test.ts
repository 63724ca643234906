// The test-suite of @fastify/websocket, with this plugin in its place: all of it passes, but for what docs/migration.md tells.
import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { linkDependencies, root, runNode } from '../support/servers/tarball.js'

/** The tests that do not pass, and the row of the page that says why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'Should fail if custom errorHandler is not a function': 'onHandlerError',
  'Should run custom errorHandler when the raw socket emits an error': 'error of the raw socket',
  'Should warn if path option is provided to ws': '`path`',
  'Should be able to pass a custom server option to ws': '`server`',
  'Should remove the upgrade listener from a custom server on close': '`server`',
  'Should be able to pass preClose option to override default': '`preClose`',
  'Should fail if custom preClose is not a function': '`preClose`',
  'Should gracefully close with a connected client': 'arrives when the server closes',
  'clashing upgrade handler': "another listener of `'upgrade'`",
  'Should close on unregistered path (with no wildcard route websocket handler defined)':
    'takes no WebSocket',
  'Should close the connection if a non-websocket route with path exists': 'takes no WebSocket',
  'Should return 404 on http request': 'plain GET',
  'should call `destroy` when exception is thrown inside async handler': 'error in a handler',
  'Should not run onError hook if reply was already hijacked (error thrown in websocket handler)':
    'error in a handler',
}

/** In their place: their options by our names. */
const IN_THEIR_PLACE = `const plugin = require('fastify-websocket-lifecycle')
module.exports = require('fastify-plugin')(async (app, { options, errorHandler } = {}) => {
  const onHandlerError = errorHandler && function (socket, request, error) {
    return errorHandler.call(this, error, socket, request)
  }
  await app.register(plugin, { ...(options && { websocket: options }), ...(errorHandler && { onHandlerError }) })
})
`

const theirs = join(root, 'node_modules/@fastify/websocket/test')
const files = (await readdir(theirs)).filter((name) => name.endsWith('.test.js'))
const seen = new Set<string>()

describe('the test-suite of @fastify/websocket', () => {
  let dir: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'suite-'))
    await linkDependencies(join(dir, 'node_modules'))
    await symlink(root, join(dir, 'node_modules/fastify-websocket-lifecycle'))
    await cp(theirs, join(dir, 'test'), { recursive: true })
    await writeFile(join(dir, 'package.json'), '{ "type": "commonjs" }')
    await writeFile(join(dir, 'index.js'), IN_THEIR_PLACE)
  })
  after(() => rm(dir, { recursive: true }))

  for (const file of files) {
    it(`passes with this plugin, but for what is different: ${file}`, async () => {
      const source = await readFile(join(theirs, file), 'utf8')
      const names = [...source.matchAll(/^test\('([^']+)'/gm)].map(([, name = '']) => name)
      for (const name of names) seen.add(name)
      const expected = names.filter((name) => !(name in DIFFERENT))
      // Node 20 cannot leave tests out: it takes the names of all others.
      const patterns = expected.map((name) => `--test-name-pattern=^${escaped(name)}$`)
      const { stdout } = await runNode([...patterns, '--test-reporter=tap', `test/${file}`], dir)
      const failed = [...stdout.matchAll(/^not ok \d+ - (.*)/gm)].map(([, name]) => name)
      assert.deepEqual(failed, [])
      assert.equal(Number(/^# pass (\d+)/m.exec(stdout)?.[1]), expected.length, stdout)
    })
  }

  it('has each of the tests that are different, and the page of migration says of each why', async () => {
    const page = await readFile(join(root, 'docs/migration.md'), 'utf8')
    for (const [name, why] of Object.entries(DIFFERENT)) {
      assert.ok(seen.has(name), name)
      assert.ok(page.includes(why), why)
    }
  })
})

function escaped(name: string): string {
  return name.replaceAll(/[$()*+.?[\\\]^{|}/]/g, String.raw`\$&`)
}
