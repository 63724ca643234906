// The files of the page for operators, as browsers get them.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { pageFiles } from '../../lib/dashboard/files.js'
import { websocketDashboard } from '../../lib/dashboard/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { endWith } from '../support/servers/app.js'

/** An app whose page anybody may see. */
async function serveOpen(
  t: TestContext,
  prefix: string | undefined = '/admin',
  options: FastifyServerOptions = {},
): Promise<FastifyInstance> {
  const app = Fastify(options)
  endWith(t, app)
  await app.register(createPlugin())
  await app.register(websocketDashboard, { prefix, authorize: () => true })
  return app
}

const TYPES = {
  '': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'uplot.css': 'text/css; charset=utf-8',
  'uplot.js': 'text/javascript; charset=utf-8',
}

test('each file is there, with headers that let it do nothing but what it has to', async (t) => {
  const app = await serveOpen(t)
  for (const [name, type] of Object.entries(TYPES)) {
    const { statusCode, headers, body } = await app.inject(`/admin/${name}`)
    assert.equal(statusCode, 200, name)
    assert.equal(headers['content-type'], type)
    assert.equal(headers['content-encoding'], undefined)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    assert.equal(headers['cache-control'], 'private, no-cache')
    const policy = String(headers['content-security-policy'])
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), part)
    }
    assert.doesNotMatch(policy, /unsafe|\*|http/)
    const packed = await app.inject({
      url: `/admin/${name}`,
      headers: { 'accept-encoding': 'br, gzip' },
    })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(packed.rawPayload).toString(), body)
    assert.ok(packed.rawPayload.length < body.length)
  }
})

test('there is no file where the package cannot tell its place', async () => {
  const files = await pageFiles(async () => Promise.reject(new SyntaxError('import.meta')))
  assert.equal(files.size, 0)
})

test('a browser that has it already gets a 304', async (t) => {
  const app = await serveOpen(t)
  const { headers } = await app.inject('/admin/page.js')
  const { etag = '' } = headers
  const again = await app.inject({ url: '/admin/page.js', headers: { 'if-none-match': etag } })
  assert.deepEqual([again.statusCode, again.body, again.headers.etag], [304, '', etag])
  const other = await app.inject({ url: '/admin/page.js', headers: { 'if-none-match': '"x"' } })
  assert.equal(other.statusCode, 200)
})

test('a HEAD gets the headers', async (t) => {
  const app = await serveOpen(t)
  const { statusCode, headers, body } = await app.inject({ method: 'HEAD', url: '/admin/' })
  assert.deepEqual([statusCode, headers['content-type'], body], [200, TYPES[''], ''])
})

test('the page is at the slash: what it names is beside it', async (t) => {
  const app = await serveOpen(t, '/ops/admin')
  const { statusCode, headers } = await app.inject('/ops/admin?a=/b/&c=d')
  assert.deepEqual([statusCode, headers.location], [302, './admin/?a=/b/&c=d'])
  const { href } = new URL(String(headers.location), 'http://a/ops/admin?a')
  assert.equal(href, 'http://a/ops/admin/?a=/b/&c=d')
  const page = await app.inject('/ops/admin/?a')
  assert.equal(page.headers['content-type'], TYPES[''])
})

test('no prefix, and no other one, makes a redirect to somewhere else', async (t) => {
  const app = await serveOpen(t, '')
  assert.equal((await app.inject('/')).headers['content-type'], TYPES[''])
  const odd = await serveOpen(t, '/javascript::alert(1)')
  const { statusCode, headers } = await odd.inject('/javascript:alert(1)')
  assert.equal(statusCode, 302)
  const { href } = new URL(String(headers.location), 'http://a/javascript:alert(1)')
  assert.equal(href, 'http://a/javascript:alert(1)/')
})

test('the same where the app does not care for slashes, and where it rewrites its URLs', async (t) => {
  const app = await serveOpen(t, '/admin', {
    ignoreTrailingSlash: true,
    rewriteUrl: ({ url = '' }) => url.replace('/ops', '/admin'),
  })
  assert.equal((await app.inject('/admin')).headers.location, './admin/')
  assert.equal((await app.inject('/ops')).headers.location, './ops/')
  assert.equal((await app.inject('/ops/')).headers['content-type'], TYPES[''])
  assert.equal((await app.inject('/ops/page.js')).headers['content-type'], TYPES['page.js'])
})
