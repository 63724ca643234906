// What a page gets: dist/client.js, as it was built.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { build, transform } from 'esbuild'
import { root } from '../support/servers/tarball.js'

/** Bytes of it, minified and packed. Half of them are the session: numbering, the link, and what is kept. */
const MOST = 4_096

const file = join(root, 'dist/client.js')
const source = readFileSync(file, 'utf8')

test(`has at most ${MOST} bytes, minified and packed`, async () => {
  const { code } = await transform(source, { minify: true, format: 'esm', target: 'es2022' })
  const { length } = gzipSync(code, { level: 9 })
  assert.ok(length <= MOST, `${length} bytes`)
})

test('is one file that imports nothing, so a page can import it as it is', async () => {
  const { metafile, warnings } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    format: 'esm',
  })
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    Object.values(metafile.inputs).flatMap(({ imports }) => imports),
    [],
  )
  assert.equal(Object.keys(metafile.inputs).length, 1)
  // A control character would become another one in a page that has the script inline.
  assert.doesNotMatch(source, /[^\n\t\x20-\x7e]/)
  assert.doesNotMatch(source, /<\/?script|<!--/)
})

test('needs nothing of Node: it loads where there is no process and no Buffer', async () => {
  const { code } = await transform(source, { format: 'iife', globalName: 'client' })
  const page = createContext({ EventTarget, Event, AbortController, TextEncoder, URL })
  assert.equal(
    runInContext(`${code}; Object.keys(client).join()`, page),
    'LifecycleClient,isRetryable',
  )
})
