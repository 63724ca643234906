// The page of `npm start`, as it is served. In a browser it runs in test/browser.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CLOSE_CAUSES } from '../../lib/core/close/policy.js'
import type { Source } from '../../examples/demo/source.js'
import { openDemo } from './demo.js'
import { root } from '../support/servers/tarball.js'

/** Those that the room can have: the others need options that it does not set. */
const CAUSES = CLOSE_CAUSES.filter(
  (cause) => !/idle-timeout|expired|rate-limited|replaced|node-fenced/.test(cause),
)

describe('the page of the demo', () => {
  it('is served with all that it needs, under a policy that allows nothing else', async (t) => {
    const { url } = await openDemo(t)
    let size = 0
    for (const path of await assetsFrom(url)) {
      const response = await fetch(new URL(path, url))
      assert.equal(response.status, 200, path)
      const policy = response.headers.get('content-security-policy') ?? ''
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
      assert.doesNotMatch(policy, /unsafe|\*|http|data:/)
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
      const body = await response.text()
      if (path !== '/client.js') size += Buffer.byteLength(body) // that is the package's own
      const addresses = body.replaceAll('http://www.w3.org/2000/svg', '').match(/https?:\/\//g)
      assert.equal(addresses, null, `${path} names an address`)
    }
    assert.ok(size < 60_000, `${size} bytes`)
  })

  it('has no script and no style of its own', async (t) => {
    const { url } = await openDemo(t)
    const response = await fetch(url)
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.doesNotMatch(await response.text(), /<style|<script(?![^>]* src=)| style=| on\w+=/)
  })

  it('links to documents, which are served as plain text', async (t) => {
    const { url } = await openDemo(t)
    const html = await (await fetch(url)).text()
    const links = Array.from(html.matchAll(/href="([\w/-]+\.md)"/g), ([, path]) => path as string)
    assert.ok(links.length >= 3)
    for (const link of links) {
      const response = await fetch(new URL(link, url))
      assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
      assert.equal(await response.text(), await readFile(join(root, link), 'utf8'))
    }
    assert.match(html, /<code>npm install fastify-websocket-lifecycle<\/code>/)
  })

  it('is about a route that is shown as it stands in its file', async (t) => {
    const { url } = await openDemo(t)
    const source = (await (await fetch(new URL('route.json', url))).json()) as Source
    const file = (await readFile(join(root, source.file), 'utf8')).split('\n')
    assert.match(source.lines[0] ?? '', /^app\.get/)
    assert.equal(source.lines.at(-1), ')')
    assert.ok(source.lines.length < 40)
    source.lines.forEach((line, i) => {
      assert.equal(file[source.from - 1 + i]?.trim(), line.trim())
    })
    const loads = ['flood', 'jobs']
    assert.deepEqual(Object.keys(source.needed).toSorted(), [...CAUSES, ...loads].toSorted())
    for (const indexes of Object.values(source.needed)) {
      const needed = indexes.map((i) => source.lines[i]).join('\n')
      assert.doesNotMatch(needed, /onUnexpectedClose/)
      assert.match(needed, /^ {4}onClose\(.*\{$[^]*?^ {4}\},$[^]*^ {4}session\.scope\.defer/m)
    }
    const unexpected = source.unexpected.map((i) => source.lines[i]).join('\n')
    assert.match(unexpected, /^ {4}onUnexpectedClose\(.*\{\n[^]*\n {4}\},$/)
    const first = (about: keyof Source['needed']): string | undefined =>
      source.lines[source.needed[about]?.[0] ?? -1]?.trim()
    assert.equal(first('heartbeat-timeout'), 'keepalive: { interval: 3_000, timeout: 3_000 },')
    assert.equal(first('flood'), 'inbox: { maxMessages: 32 },')
    assert.equal(first('slow-consumer'), 'outbox: { maxBytes: 512 * 1024 },')
    assert.equal(first('jobs'), 'async onMessage(session, _request, message) {')
  })
})

describe('the README’s pictures of it', () => {
  for (const name of ['light', 'dark']) {
    it(`are of one ending, 640 pixels wide, and small: ${name}`, async () => {
      const png = await readFile(join(root, `docs/demo-${name}.png`))
      assert.equal(png.readUInt32BE(16), 2 * 640)
      assert.ok(png.length < 120_000, `${png.length} bytes`)
    })
  }
})

/** The page, and whatever its files name. */
async function assetsFrom(url: string): Promise<Set<string>> {
  const paths = new Set(['/', '/route.json'])
  for (const path of paths) {
    if (!/\/$|js$/.test(path)) continue
    const body = await (await fetch(new URL(path, url))).text()
    for (const [, file] of body.matchAll(
      /(?:src=|href=|from )["'](?:\.\/)?([\w.]+\.(?:css|js|svg))["']/g,
    )) {
      paths.add(`/${file}`)
    }
  }
  assert.ok(paths.size > 10, [...paths].join(' '))
  return paths
}
