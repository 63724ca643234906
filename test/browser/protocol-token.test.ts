// The token of examples/protocol-token.ts, as a real browser sends it from a page of another origin.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { build } from '../../examples/protocol-token.js'
import { portOf } from '../support/servers/app.js'
import { browser, closeBrowser } from './support/browser.js'

/** What a page sees of a connection: the first message and its protocol, or how it ended. */
function connect(page: Page, url: string, offered: string[]): Promise<string> {
  return page.evaluate(
    ([address, protocols]) =>
      new Promise<string>((resolve) => {
        try {
          const ws = new WebSocket(address, protocols)
          ws.addEventListener('message', ({ data }) => resolve(`${ws.protocol}: ${String(data)}`))
          ws.addEventListener('close', ({ code }) => resolve(`close ${code}`))
        } catch (error) {
          resolve((error as Error).name)
        }
      }),
    [url, offered] as const,
  )
}

describe('a page of another origin', () => {
  const site = Fastify()
  let app: FastifyInstance
  let page: Page
  let url: string
  let token: string
  before(async () => {
    app = await build()
    app.log.level = 'silent'
    site.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html>'))
    for (const server of [app, site]) await server.listen({ port: 0, host: '127.0.0.1' })
    url = `ws://127.0.0.1:${portOf(app)}/feed`
    token = (await app.inject({ method: 'POST', url: '/login/ada' })).payload
    page = await (await browser()).newPage()
    await page.goto(`http://127.0.0.1:${portOf(site)}/`)
  })
  after(async () => {
    await closeBrowser()
    for (const server of [app, site]) await server.close()
  })

  it('has a connection with its token, and speaks the other protocol', async () => {
    assert.equal(await connect(page, url, ['feed', `token.${token}`]), 'feed: hello, ada')
    assert.equal(await connect(page, url, [`token.${token}`, 'feed']), 'feed: hello, ada')
  })

  it('sees 3000 with another token, and with none', async () => {
    assert.equal(await connect(page, url, ['feed', 'token.e30.e30.e30']), 'close 3000')
    assert.equal(await connect(page, url, ['feed']), 'close 3000')
    assert.equal(await connect(page, url, []), 'close 3000')
  })

  it('sees 1006 where it offers nothing that is spoken', async () => {
    assert.equal(await connect(page, url, [`token.${token}`]), 'close 1006')
  })

  it('cannot offer base64 with padding or slashes', async () => {
    for (const characters of ['=', '/', ' ', ',', '"']) {
      assert.equal(await connect(page, url, ['feed', `token.a${characters}`]), 'SyntaxError')
    }
  })

  it('cannot offer 16 KiB', async () => {
    assert.equal(await connect(page, url, ['feed', `token.${'a'.repeat(16_384)}`]), 'close 1006')
  })
})
