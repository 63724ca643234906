// dist/client.js in a real browser, as a page imports it, against a peer that speaks the link by hand.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import type { LifecycleClient } from '../../lib/client/index.js'
import { portOf } from '../support/servers/app.js'
import {
  type LinkConnection,
  type LinkServer,
  listenForLinks,
  SessionPeer,
} from '../support/peers/link-server.js'
import { root } from '../support/servers/tarball.js'
import { browser, closeBrowser } from './support/browser.js'

/** What the page keeps for the test. */
interface Kept {
  client: LifecycleClient
  told: Array<Record<string, unknown>>
}

const PAGE = `<!doctype html><script type="module">
  import { LifecycleClient } from '/client.js'
  globalThis.connect = (url) => {
    const told = []
    const client = new LifecycleClient(url, { resume: true, protocols: 'chat', backoff: { min: 1, max: 10 } })
    for (const type of ['open', 'message', 'lost', 'close']) {
      client.addEventListener(type, ({ code, reason, resumed, data, attempts, error }) => {
        const text = data instanceof ArrayBuffer ? [...new Uint8Array(data)].join() : data
        told.push({ type, code, reason, resumed, text, attempts, error: error && String(error) })
      })
    }
    globalThis.kept = { client, told }
  }
</script>`

describe('the client in a page', () => {
  const site = Fastify()
  let peer: LinkServer
  let page: Page
  before(async () => {
    const script = await readFile(`${root}/dist/client.js`, 'utf8')
    site.get('/', async (_request, reply) => reply.type('text/html').send(PAGE))
    site.get('/client.js', async (_request, reply) => reply.type('text/javascript').send(script))
    await site.listen({ port: 0, host: '127.0.0.1' })
  })
  after(async () => {
    await closeBrowser()
    await site.close()
  })
  beforeEach(async () => {
    peer = await listenForLinks()
    page = await (await browser()).newPage()
    await page.goto(`http://127.0.0.1:${portOf(site)}/`)
    await page.waitForFunction(() => 'connect' in globalThis)
  })
  afterEach(async () => {
    await page.close()
    await peer[Symbol.asyncDispose]()
  })

  /** The page connects. */
  async function connect(): Promise<LinkConnection> {
    await page.evaluate((url) => {
      ;(globalThis as unknown as { connect(url: string): void }).connect(url)
    }, peer.url)
    return peer.next()
  }

  /** The last event of a type, once it is there. */
  async function told(type: string): Promise<Record<string, unknown>> {
    const handle = await page.waitForFunction(
      (wanted) =>
        (globalThis as unknown as { kept: Kept }).kept.told.findLast(
          (each) => each['type'] === wanted,
        ),
      type,
    )
    return (await handle.jsonValue()) ?? {}
  }

  const send = (text: string): Promise<boolean> =>
    page.evaluate((data) => (globalThis as unknown as { kept: Kept }).kept.client.send(data), text)

  it('goes on with its session when the line is cut, and sends what was sent meanwhile', async () => {
    const session = new SessionPeer()
    session.take(await connect())
    session.send('\0\0hello')
    assert.equal((await told('message'))['text'], '\0hello')
    await send('1')
    peer.cut()
    const again = await peer.next()
    await send('2')
    assert.equal(again.offer.resume?.token, session.token)
    assert.equal(again.offer.resume?.received, 1)
    assert.deepEqual(again.offer.protocols, ['chat'])
    session.take(again)
    session.send('there')
    await page.waitForFunction(() =>
      (globalThis as unknown as { kept: Kept }).kept.told.some((each) => each['text'] === 'there'),
    )
    assert.equal((await told('open'))['resumed'], true)
    await page.evaluate(() => {
      ;(globalThis as unknown as { kept: Kept }).kept.client.close(4_000, 'bye')
    })
    assert.deepEqual(await again.close, { code: 4_000, reason: 'bye' })
    assert.deepEqual(session.received, ['1', '2'])
  })

  it('gets bytes, and is closed by a code that says no', async () => {
    const session = new SessionPeer()
    await page.evaluate((url) => {
      ;(globalThis as unknown as { connect(url: string): void }).connect(url)
    }, peer.url)
    const connection = await peer.next()
    session.take(connection)
    connection.socket.send(new Uint8Array([1, 2]))
    assert.equal((await told('message'))['text'], '1,2')
    connection.socket.close(3000, 'sign in')
    const { code, reason } = await told('close')
    assert.deepEqual([code, reason], [3000, 'sign in'])
  })

  it('breaks off with 4002, because a page may not send 1002', async () => {
    await page.evaluate((url) => {
      ;(globalThis as unknown as { connect(url: string): void }).connect(url)
    }, peer.url)
    const connection = await peer.next()
    connection.socket.send('hello')
    assert.equal((await connection.close).code, 4002)
    assert.match(String((await told('lost'))['error']), /Expected a frame that the link allows/)
  })

  it('probes an open line when the network is back', async () => {
    const connection = await connect()
    new SessionPeer().take(connection)
    await told('open')
    await page.context().setOffline(true)
    await page.context().setOffline(false)
    while (!connection.frames.includes('\0p')) await new Promise((resolve) => setImmediate(resolve))
  })
})
