// Compiles each `ts` block of the documents, as a module of its own, against the built package.
import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { linkDependencies, root, runNode } from '../support/servers/tarball.js'

const OPTIONS = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  moduleDetection: 'force',
  types: ['node'],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
}

/** A file for each block: its name says the page, and its line there. */
async function blocks(): Promise<Map<string, string>> {
  const pages = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'))
  const found = new Map<string, string>()
  for (const page of ['README.md', ...pages.map((name) => `docs/${name}`)]) {
    const text = await readFile(join(root, page), 'utf8')
    for (const { index, 1: block = '' } of text.matchAll(/```ts\n([^]*?)```/g)) {
      if (block.includes('LogController') && !isFastifySince('5.10.0')) continue
      const line = text.slice(0, index).split('\n').length
      found.set(`${page.replace('/', '-').replace('.md', '')}-${line}.ts`, block)
    }
  }
  return found
}

test('each block of TypeScript in the documents compiles', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'snippets-'))
  t.after(() => rm(dir, { recursive: true }))
  await linkDependencies(join(dir, 'node_modules'))
  await symlink(root, join(dir, 'node_modules/fastify-websocket-lifecycle'))
  await copyFile(join(root, 'test/snippets/prelude.ts'), join(dir, 'prelude.ts'))
  await writeFile(join(dir, 'package.json'), '{ "type": "module" }')
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS }))
  const found = await blocks()
  assert.ok(found.size > 20, `${found.size}`)
  for (const [name, block] of found) await writeFile(join(dir, name), block)

  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { code, stdout } = await runNode([tsc, '-p', '.'], dir)
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '' })
})
