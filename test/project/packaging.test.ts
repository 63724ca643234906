// The package as it is published: what it holds, and what import and require give.
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { transform } from 'esbuild'
import { installTarball, root, runNode, type Installed } from '../support/servers/tarball.js'

const exportedNames = [
  'CloseCode',
  'ConnectionClosedError',
  'default',
  'fastifyWebsocketLifecycle',
  'isCloseCode',
  'isRetryable',
  'isUnexpectedClose',
  'module.exports',
  'truncateReason',
]

/** Beside them. */
const exportedTypes = [
  'CloseCause',
  'CloseFrame',
  'CloseInfo',
  'CloseInitiator',
  'ConnectionScope',
  'ConnectionsPerKey',
  'DrainOptions',
  'DrainReport',
  'InboxOptions',
  'KeepaliveOptions',
  'LifecycleErrorCode',
  'LifecycleOptions',
  'LifecycleSocket',
  'LifecycleStats',
  'Message',
  'MessageOf',
  'OutboxOptions',
  'RefusalReason',
  'RouteLifecycleOptions',
  'WebsocketHandler',
  'WebsocketLifecycle',
  'WebsocketLifecycleOptions',
]

/** Whether a range of versions has one of `major`; what it says otherwise it may say. */
function takes(range: string | undefined, major: number): boolean {
  return (range ?? '').split('||').some((part) => {
    const [, sign = '', first] = /^\s*(\^|~|>=?)?\s*v?(\d+)/.exec(part) ?? []
    if (first === undefined) return true
    return sign.startsWith('>') ? Number(first) <= major : Number(first) === major
  })
}

describe('the packed package', () => {
  let installed: Installed
  before(async () => {
    installed = await installTarball()
  })
  after(() => installed[Symbol.asyncDispose]())

  /** What `source`, a module of a user's, prints as JSON; nothing may be on stderr. */
  async function evaluate(file: string, source: string): Promise<unknown> {
    await writeFile(join(installed.dir, file), source)
    const { code, stdout, stderr } = await runNode([file], installed.dir)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    return JSON.parse(stdout)
  }

  it('holds the compiled lib, the licence, the README and nothing else', async () => {
    const sources = await readdir(join(root, 'lib'), { recursive: true })
    const compiled = sources
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `dist/${name.replaceAll('\\', '/').slice(0, -'.ts'.length)}`)
      .flatMap((name) => [`${name}.d.ts`, `${name}.js`])
    assert.deepEqual(
      installed.files,
      [...compiled, 'LICENSE', 'README.md', 'package.json'].toSorted(),
    )
  })

  it('brings the types of ws along', async () => {
    const { dependencies } = JSON.parse(
      await readFile(join(installed.dir, 'package/package.json'), 'utf8'),
    ) as { dependencies: Record<string, string> }
    assert.deepEqual(Object.keys(dependencies).toSorted(), [
      '@fastify/error',
      '@fastify/websocket',
      '@types/ws',
      'fastify-plugin',
      'find-my-way',
      'ws',
    ])
  })

  it('is built from a lockfile without download addresses', async () => {
    const lockfile = await readFile(join(root, 'package-lock.json'), 'utf8')
    assert.doesNotMatch(lockfile, /"resolved"/)
  })

  it('is built by packages that take the oldest Node that it takes, so npm ci warns of none', async () => {
    const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      engines: { node: string }
    }
    const oldest = Number(/\d+/.exec(engines.node)?.[0])
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { engines?: { node?: string } }>
    }
    const warned = Object.entries(packages).filter(([, one]) => !takes(one.engines?.node, oldest))
    assert.deepEqual(warned, [])
  })

  it('exports these names and no others', async () => {
    const names = await evaluate(
      'names.mjs',
      `import * as all from 'fastify-websocket-lifecycle'
       console.log(JSON.stringify(Object.keys(all)))`,
    )
    assert.deepEqual(names, exportedNames)
  })

  it('exports these types and no others', async () => {
    const declared = await readFile(join(installed.dir, 'package/dist/index.d.ts'), 'utf8')
    // Of a list nobody knows what is in it, but that of what adds to types of Fastify has no names.
    assert.doesNotMatch(declared, /export (?:type )?\*/)
    const types = [...declared.matchAll(/^export type \{([^}]*)\}/gm)]
      .flatMap(([, names = '']) => names.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '')
    assert.deepEqual(types.toSorted(), exportedTypes)
  })

  it('gives the plugin to import, by default and by name', async () => {
    const seen = await evaluate(
      'import.mjs',
      `import plugin, { fastifyWebsocketLifecycle } from 'fastify-websocket-lifecycle'
       console.log(JSON.stringify([typeof plugin, plugin === fastifyWebsocketLifecycle]))`,
    )
    assert.deepEqual(seen, ['function', true])
  })

  it('gives the plugin to require, with every other export hanging on it', async () => {
    const seen = await evaluate(
      'require.cjs',
      `const plugin = require('fastify-websocket-lifecycle')
       import('fastify-websocket-lifecycle').then((all) => {
         const same = Object.keys(all).filter((name) => plugin[name] === all[name])
         console.log(JSON.stringify([typeof plugin, plugin === all.default, same]))
       })`,
    )
    const hanging = exportedNames.filter((name) => name !== 'module.exports')
    assert.deepEqual(seen, ['function', true, hanging])
  })

  it('can be registered by a CommonJS app, which then closes and ends by itself', async () => {
    const seen = await evaluate(
      'app.cjs',
      `const app = require('fastify')()
       app.register(require('fastify-websocket-lifecycle'))
       app.after(() => app.get('/', { websocket: true }, () => {}))
       app.listen({ port: 0, host: '127.0.0.1' })
         .then(() => console.log(JSON.stringify(typeof app.websocketLifecycle.drain)))
         .then(() => app.close())`,
    )
    assert.equal(seen, 'function')
  })

  it('can be made CommonJS, file by file, as Jest does it', async () => {
    const name = 'made-commonjs'
    const target = join(installed.dir, 'node_modules', name)
    const dist = join(installed.dir, 'package/dist')
    const asking: string[] = []
    for (const file of await readdir(dist, { recursive: true })) {
      if (!file.endsWith('.js')) continue
      const source = await readFile(join(dist, file), 'utf8')
      const { code, warnings } = await transform(source, { format: 'cjs' })
      if (warnings.some(({ id }) => id === 'empty-import-meta')) asking.push(file)
      await mkdir(dirname(join(target, file)), { recursive: true })
      await writeFile(join(target, file), code)
    }
    // This one Jest cannot load.
    assert.deepEqual(asking, ['platform/here.js'])
    await writeFile(join(target, 'platform/here.js'), 'throw new SyntaxError()')
    const seen = await evaluate(
      'jest.cjs',
      `const app = require('fastify')()
       app.register(require('${name}'))
       app.after(() => app.get('/', { websocket: true }, (socket) => socket.close(4001)))
       app.ready()
         .then(() => app.injectWS('/'))
         .then((client) => new Promise((resolve) => client.on('close', resolve)))
         .then((code) => app.close().then(() => console.log(code)))`,
    )
    assert.equal(seen, 4001)
  })
})
