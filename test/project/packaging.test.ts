// The package as it is published: what it holds, and what import and require give.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, posix, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { transform } from 'esbuild'
import { minVersion, satisfies } from 'semver'
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
  'ClusterRouteOptions',
  'ConnectionDescription',
  'ConnectionEvent',
  'ConnectionScope',
  'ConnectionsPerKey',
  'DrainOptions',
  'DrainReport',
  'DurableOptions',
  'DurableRecord',
  'EndStep',
  'Group',
  'GroupMember',
  'GroupSendOptions',
  'GroupSendResult',
  'InboxOptions',
  'Json',
  'KeepaliveOptions',
  'LifecycleErrorCode',
  'LifecycleEventName',
  'LifecycleEvents',
  'LifecycleOptions',
  'LifecycleSession',
  'LifecycleSocket',
  'LifecycleStats',
  'LifecycleTraces',
  'LiveConnectionEvent',
  'Message',
  'MessageOf',
  'OutboxOptions',
  'RefusalReason',
  'ResumeOptions',
  'RouteLifecycleOptions',
  'RouteStats',
  'ServerEvent',
  'SessionRouteOptions',
  'UpgradeEvent',
  'WebsocketHandler',
  'WebsocketLifecycle',
  'WebsocketLifecycleOptions',
  'WebsocketSessionHandler',
]

/** Of the client. */
const clientTypes = [
  'ClientCloseEvent',
  'ClientEvents',
  'ClientLostEvent',
  'ClientMessageEvent',
  'ClientOpenEvent',
  'ClientOptions',
  'LostConnection',
  'Message',
]

/** What it holds beside documents and examples. */
const topLevel = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'dist/client.d.ts',
  'dist/client.js',
  'dist/dashboard.d.ts',
  'dist/dashboard.js',
  'dist/dashboard/icon.svg',
  'dist/dashboard/page.css',
  'dist/dashboard/page.html',
  'dist/dashboard/page.js',
  'dist/here.js',
  'dist/index.d.ts',
  'dist/index.js',
  'dist/metrics.d.ts',
  'dist/metrics.js',
  'dist/otel.d.ts',
  'dist/otel.js',
  'dist/redis.d.ts',
  'dist/redis.js',
  'dist/testing.d.ts',
  'dist/testing.js',
  'package.json',
]

/**
 * What only the repository holds: the demos, whose pictures would be half of the tarball, and what contributors
 * read.
 */
const LEFT_OUT =
  /^(?:docs\/(?:dashboard|demo)-\w+\.png$|docs\/internals\/|examples\/(?:demo|cluster)\/)/

/** The files in some folders: those of git, where there is a repository. */
function filesOf(...folders: string[]): string[] {
  if (existsSync(join(root, '.git'))) {
    const list = execFileSync('git', ['ls-files', '-z', ...folders], {
      cwd: root,
      encoding: 'utf8',
    })
    return list.split('\0').filter((file) => file !== '')
  }
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  )
}

/** The files beside a page that it links to, or shows. */
function targetsOf(page: string): string[] {
  return [...page.matchAll(/\]\(([^)\s]+)|(?:href|src|srcset)="([^"\s]+)/g)]
    .map(([, link, attribute]) => (link ?? attribute ?? '').replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^[\w+.-]+:/.test(target))
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

  it('holds what is built, the documents, the examples and nothing else', () => {
    const tracked = filesOf('docs', 'examples').filter((file) => !LEFT_OUT.test(file))
    assert.deepEqual(installed.files, [...topLevel, ...tracked].toSorted())
  })

  it('has at most 365 kB', () => {
    assert.ok(installed.size <= 365_000, `${installed.size} bytes`)
  })

  it('holds each file that its pages lead to or show', async () => {
    const dead: string[] = []
    for (const page of installed.files.filter((file) => file.endsWith('.md'))) {
      const text = await readFile(join(installed.dir, 'package', page), 'utf8')
      for (const target of targetsOf(text)) {
        const path = posix.join(posix.dirname(page), target)
        const isThere = existsSync(join(installed.dir, 'package', path))
        if (!isThere && !LEFT_OUT.test(path)) dead.push(`${page}: ${target}`)
      }
    }
    assert.deepEqual(dead, [])
  })

  it('has no source maps, and asks for none: its code has the names of lib/, and says where they are from', async () => {
    for (const file of installed.files.filter((name) => name.startsWith('dist/'))) {
      assert.doesNotMatch(file, /\.map$/)
      const text = await readFile(join(installed.dir, 'package', file), 'utf8')
      assert.doesNotMatch(text, /sourceMappingURL/)
    }
    const code = await readFile(join(installed.dir, 'package/dist/index.js'), 'utf8')
    assert.match(code, /^\/\/#region lib\/connection\/connection\.ts\nvar Connection = class /m)
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
    const oldest = minVersion(engines.node) ?? ''
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { engines?: { node?: string } }>
    }
    const warned = Object.entries(packages).filter(
      ([, one]) => !satisfies(oldest, one.engines?.node ?? '*'),
    )
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

  it('exports these types and no others, each explained', async () => {
    const declared = await readFile(join(installed.dir, 'package/dist/index.d.ts'), 'utf8')
    const [, list = ''] = /^export \{ (.*) \};$/m.exec(declared) ?? []
    const types = [...list.matchAll(/type (\w+)/g)].map(([, name = '']) => name)
    assert.deepEqual(types.toSorted(), exportedTypes)
    for (const name of [...types, ...exportedNames.slice(0, 2), 'isCloseCode', 'truncateReason']) {
      assert.match(declared, new RegExp(`\\*/\n(?:declare )?\\w+ ${name}\\b`), name)
    }
  })

  it('declares all of it in one file, with the names by which its users know it', async () => {
    const declared = await readFile(join(installed.dir, 'package/dist/index.d.ts'), 'utf8')
    // A name with a number was taken twice.
    assert.doesNotMatch(declared, /from "\.|import\(|\$\d/)
    assert.equal(declared.match(/^declare module "fastify" \{$/gm)?.length, 5)
    // Its overloads come before ours.
    assert.match(declared, /^import '@fastify\/websocket'$/m)
  })

  it('exports the client by an entry of its own, with these names and types', async () => {
    const names = await evaluate(
      'client.mjs',
      `import * as all from 'fastify-websocket-lifecycle/client'
       console.log(JSON.stringify(Object.keys(all)))`,
    )
    assert.deepEqual(names, ['LifecycleClient', 'isRetryable'])
    const declared = await readFile(join(installed.dir, 'package/dist/client.d.ts'), 'utf8')
    const [, list = ''] = /^export \{ (.*) \};$/m.exec(declared) ?? []
    const types = [...list.matchAll(/type (\w+)/g)].map(([, name = '']) => name)
    assert.deepEqual(types.toSorted(), clientTypes)
    // Neither @types/node nor those of ws: a page has none of them.
    assert.doesNotMatch(declared, /^import|<reference|NodeJS|\bBuffer\b|\$\d/m)
  })

  it('exports the plugin for metrics by an entry of its own, to import and to require', async () => {
    const seen = await evaluate(
      'metrics.cjs',
      `const app = require('fastify')()
       app.register(require('fastify-websocket-lifecycle'))
       app.register(require('fastify-websocket-lifecycle/metrics'), { endpoint: '/metrics' })
       import('fastify-websocket-lifecycle/metrics').then(async (all) => {
         const { body } = await app.inject('/metrics')
         console.log(JSON.stringify([Object.keys(all), body.includes('websocket_connections_open')]))
         return app.close()
       })`,
    )
    assert.deepEqual(seen, [['default', 'websocketMetrics'], true])
    const declared = await readFile(join(installed.dir, 'package/dist/metrics.d.ts'), 'utf8')
    const [, list = ''] = /^export \{ (.*) \};$/m.exec(declared) ?? []
    const types = [...list.matchAll(/type (\w+)/g)].map(([, name = '']) => name)
    assert.deepEqual(types.toSorted(), ['MetricsRegistry', 'WebsocketMetricsOptions'])
    // Who has no prom-client has no types of it.
    assert.deepEqual(declared.match(/from "[^"]+"/g), ['from "fastify"'])
  })

  it('exports the plugin for OpenTelemetry by an entry of its own, which needs nothing of the others', async () => {
    const seen = await evaluate(
      'otel.cjs',
      `const all = require('fastify-websocket-lifecycle/otel')
       const app = require('fastify')()
       app.register(require('fastify-websocket-lifecycle'))
       app.register(all, { messages: false })
       app.ready().then(() => app.close()).then(() => console.log(JSON.stringify(Object.keys(all))))`,
    )
    assert.deepEqual(new Set(seen as string[]), new Set(['__esModule', 'default', 'websocketOtel']))
    const code = await readFile(join(installed.dir, 'package/dist/otel.js'), 'utf8')
    const imported = [...code.matchAll(/^import .* from "(?!node:)(.*)";$/gm)]
    assert.deepEqual(
      imported.map(([, name]) => name),
      ['@opentelemetry/api', 'fastify-plugin', '@fastify/error'],
    )
    const main = await readFile(join(installed.dir, 'package/dist/index.js'), 'utf8')
    assert.doesNotMatch(main, /@opentelemetry/)
    const declared = await readFile(join(installed.dir, 'package/dist/otel.d.ts'), 'utf8')
    assert.match(declared, /^export \{ type WebsocketOtelOptions, websocketOtel/m)
    assert.match(declared, /\*\/\ninterface WebsocketOtelOptions /)
    assert.doesNotMatch(declared, /declare module|\$\d/)
  })

  it('exports the plugin for several nodes by an entry of its own, which needs no client of Redis', async () => {
    const seen = await evaluate(
      'redis.cjs',
      `const all = require('fastify-websocket-lifecycle/redis')
       const app = require('fastify')()
       app.register(require('fastify-websocket-lifecycle'))
       app.register(all, { client: {} })
       app.ready().then(() => {}, ({ code }) => console.log(JSON.stringify([code, Object.keys(all)])))`,
    )
    const names = ['__esModule', 'default', 'websocketCluster']
    assert.deepEqual(seen, ['FST_ERR_WSL_INVALID_OPTION', names])
    const code = await readFile(join(installed.dir, 'package/dist/redis.js'), 'utf8')
    const imported = [...code.matchAll(/^import .* from "(?!node:)(.*)";$/gm)]
    assert.deepEqual(
      new Set(imported.map(([, name]) => name)),
      new Set(['fastify-plugin', '@fastify/error']),
    )
    const main = await readFile(join(installed.dir, 'package/dist/index.js'), 'utf8')
    assert.doesNotMatch(main, /websocketCluster|PUBLISH/)
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
    await mkdir(target)
    for (const file of await readdir(dist)) {
      if (!file.endsWith('.js')) continue
      const source = await readFile(join(dist, file), 'utf8')
      const { code, warnings } = await transform(source, { format: 'cjs' })
      if (warnings.some(({ id }) => id === 'empty-import-meta')) asking.push(file)
      await writeFile(join(target, file), code)
    }
    // This one Jest cannot load.
    assert.deepEqual(asking, ['here.js'])
    await writeFile(join(target, 'here.js'), 'throw new SyntaxError()')
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
