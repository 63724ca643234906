// The page for operators in the package as it is published.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { installTarball, runNode } from '../support/servers/tarball.js'

const FILES = ['', 'page.css', 'page.js', 'icon.svg', 'uplot.css', 'uplot.js']

test('the page for operators has an entry of its own, with all that it shows', async (t) => {
  const installed = await installTarball()
  t.after(async () => installed[Symbol.asyncDispose]())
  await writeFile(
    join(installed.dir, 'dashboard.cjs'),
    `const all = require('fastify-websocket-lifecycle/dashboard')
     const app = require('fastify')()
     app.register(require('fastify-websocket-lifecycle'))
     app.register(all, { prefix: '/admin', authorize: () => true })
     app.ready().then(async () => {
       const told = []
       for (const name of ${JSON.stringify(FILES)}) {
         const { statusCode, body } = await app.inject('/admin/' + name)
         told.push([name, statusCode, body.length > 0])
       }
       await app.close()
       console.log(JSON.stringify([Object.keys(all), told]))
     })`,
  )
  const { code, stdout, stderr } = await runNode(['dashboard.cjs'], installed.dir)
  assert.deepEqual([code, stderr], [0, ''])
  assert.deepEqual(JSON.parse(stdout), [
    ['__esModule', 'default', 'websocketDashboard'],
    FILES.map((name) => [name, 200, true]),
  ])
  const entry = await readFile(join(installed.dir, 'package/dist/dashboard.js'), 'utf8')
  const imported = [...entry.matchAll(/^import .* from "(?!node:)(.*)";$/gm)]
  assert.deepEqual(
    imported.map(([, name]) => name),
    ['fastify-plugin', '@fastify/error'],
  )
  const declared = await readFile(join(installed.dir, 'package/dist/dashboard.d.ts'), 'utf8')
  assert.match(declared, /^export \{ type WebsocketDashboardOptions, plugin as default, /m)
  assert.deepEqual(declared.match(/from "[^"]+"/g), ['from "fastify"'])
})
