// An app may have an older ws than ours needs, pinned or left over: it is refused at registration.
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, test } from 'node:test'
import { build } from 'esbuild'
import { NEEDED, refuseOlder, versionOf } from '../../lib/plugin/ws-version.js'
import {
  installTarball,
  linkDependencies,
  root,
  runNode,
  type Installed,
} from '../support/servers/tarball.js'

const dependencies = join(root, 'node_modules')

/** Registers the plugin and tells how that went; then it has to end by itself. */
const APP = `
  import Fastify from 'fastify'
  import plugin from 'fastify-websocket-lifecycle'
  const app = Fastify()
  app.register(plugin).then(
    () => 'registered',
    ({ code, statusCode, message }) => ({ code, statusCode, message }),
  ).then((told) => {
    console.log(JSON.stringify(told))
    return app.close()
  })`

function refused(foundBy: string, found: string): object {
  return {
    code: 'FST_ERR_WSL_WS_VERSION',
    statusCode: 500,
    message: `Expected ws ${NEEDED} or later, but ${foundBy} has found ${found}: an older one may not know the limits that hold here. See \`npm ls ws\`, then update it, or remove what pins it (such as \`overrides\`)`,
  }
}

async function run(file: string, cwd: string): Promise<unknown> {
  const { code, stdout, stderr } = await runNode([file], cwd)
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  return JSON.parse(stdout)
}

test('the ws that is needed is the oldest that our dependencies allow', async () => {
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  assert.equal(dependencies['ws'], `^${NEEDED}`)
})

test('an older version is refused, whatever it is seen to know', () => {
  for (const version of ['8.16.0', '8.22.2', '8.9.99', '7.5.10']) {
    for (const isLax of [true, false]) {
      assert.throws(
        () => refuseOlder({ foundBy: 'somebody', version, isLax }),
        refused('somebody', version),
      )
    }
  }
  for (const version of [NEEDED, '8.23.1', '8.100.0', '10.0.0']) {
    refuseOlder({ foundBy: 'somebody', version, isLax: false })
  }
})

test('where the version cannot be read, one that is seen not to know the limits is refused', () => {
  const version = undefined
  refuseOlder({ foundBy: 'somebody', version, isLax: false })
  assert.throws(
    () => refuseOlder({ foundBy: 'somebody', version, isLax: true }),
    refused('somebody', 'one whose version cannot be read'),
  )
})

test('a version is read beside the ws that runs, and no other', async () => {
  const here = createRequire(import.meta.url)
  const read = async (from: string | undefined, isRunning: boolean): Promise<string | undefined> =>
    versionOf(
      async () => ({ load: createRequire(from as string) }),
      (found) => isRunning && found === here('ws'),
    )
  assert.equal(await read(import.meta.url, true), here('ws/package.json').version)
  assert.equal(await read(import.meta.url, false), undefined)
  assert.equal(await read(join(tmpdir(), 'app.js'), true), undefined)
  // What a bundle of CommonJS makes of import.meta.url.
  assert.equal(await read(undefined, true), undefined)
})

describe('the packed package, in an app', () => {
  let installed: Installed
  before(async () => {
    installed = await installTarball()
  })
  after(() => installed[Symbol.asyncDispose]())

  /** A project whose `node_modules` has another ws in these places. */
  async function install(copies: Record<string, string>): Promise<string> {
    const project = await mkdtemp(join(installed.dir, 'app-'))
    const modules = join(project, 'node_modules')
    await linkDependencies(modules)
    await cp(join(installed.dir, 'package'), join(modules, 'fastify-websocket-lifecycle'), {
      recursive: true,
    })
    // A link would find what stands beside its target.
    await rm(join(modules, '@fastify'))
    await mkdir(join(modules, '@fastify'))
    for (const name of await readdir(join(dependencies, '@fastify'))) {
      const [from, to] = [join(dependencies, '@fastify', name), join(modules, '@fastify', name)]
      if (name === 'websocket') await cp(from, to, { recursive: true })
      else await symlink(from, to)
    }
    for (const [place, name] of Object.entries(copies)) {
      await rm(join(modules, place), { recursive: true, force: true })
      await cp(join(dependencies, name), join(modules, place), { recursive: true })
    }
    await writeFile(join(project, 'app.mjs'), APP)
    return project
  }

  const ours = 'fastify-websocket-lifecycle'
  const theirs = '@fastify/websocket'

  for (const { what, copies, told } of [
    { what: 'nothing is pinned', copies: {}, told: 'registered' },
    { what: 'ws 8.18 is pinned', copies: { ws: 'ws-8.18' }, told: refused(ours, '8.18.3') },
    { what: 'ws 8.22 is pinned', copies: { ws: 'ws-8.22' }, told: refused(ours, '8.22.2') },
    {
      what: `${ours} alone has ws 8.18`,
      copies: { [`${ours}/node_modules/ws`]: 'ws-8.18' },
      told: refused(ours, '8.18.3'),
    },
    {
      what: `${theirs} alone has ws 8.18`,
      copies: { [`${theirs}/node_modules/ws`]: 'ws-8.18' },
      told: refused(theirs, '8.18.3'),
    },
    {
      what: `${theirs} alone has ws 8.22`,
      copies: { [`${theirs}/node_modules/ws`]: 'ws-8.22' },
      told: refused(theirs, '8.22.2'),
    },
    {
      what: `${theirs} has a copy of the same ws`,
      copies: { [`${theirs}/node_modules/ws`]: 'ws' },
      told: 'registered',
    },
  ]) {
    it(`${what}: ${told === 'registered' ? told : 'refused'}`, async () => {
      assert.deepEqual(await run('app.mjs', await install(copies)), told)
    })
  }

  /** As ESM, the bundle brings the `require` that its CommonJS parts ask for. */
  const BANNER = {
    cjs: '',
    esm: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  }

  async function bundle(format: 'cjs' | 'esm', ws: string, project: string): Promise<void> {
    await build({
      stdin: { contents: APP, resolveDir: installed.dir },
      outfile: join(project, 'bundle.' + (format === 'cjs' ? 'cjs' : 'mjs')),
      bundle: true,
      minify: true,
      platform: 'node',
      format,
      banner: { js: BANNER[format] },
      alias: { ws: join(dependencies, ws) },
      logLevel: 'error',
    })
  }

  for (const format of ['cjs', 'esm'] as const) {
    const file = `bundle.${format === 'cjs' ? 'cjs' : 'mjs'}`

    it(`bundled as ${format}, with no node_modules: registered`, async (t) => {
      const nowhere = await mkdtemp(join(tmpdir(), 'bundle-'))
      t.after(() => rm(nowhere, { recursive: true }))
      await bundle(format, 'ws', nowhere)
      assert.equal(await run(file, nowhere), 'registered')
    })

    it(`bundled as ${format} beside an older ws, which does not run: registered`, async () => {
      const project = await install({ ws: 'ws-8.18' })
      await bundle(format, 'ws', project)
      assert.equal(await run(file, project), 'registered')
    })

    it(`bundled as ${format} with an older ws: refused, by what it is seen to know`, async () => {
      const project = await install({})
      await bundle(format, 'ws-8.18', project)
      assert.deepEqual(await run(file, project), refused(ours, 'one whose version cannot be read'))
    })
  }
})
