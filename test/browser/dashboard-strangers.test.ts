// What those see of the page who may not look: without a right, or from a page of another origin.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import Fastify from 'fastify'
import type { Page } from 'playwright-core'
import { refusal } from '../support/peers/client.js'
import { endWith, portOf } from '../support/servers/app.js'
import { browser } from './support/browser.js'
import { openDashboard } from './support/dashboard.js'

const FILES = ['', 'page.js', 'page.css', 'icon.svg', 'uplot.js', 'uplot.css']

describe('whoever is not authorised', () => {
  it('gets a 401 for each file and each upgrade, and no byte more', async (t) => {
    const { server } = await openDashboard(t, { authorize: () => false })
    for (const file of FILES) {
      const response = await fetch(`${server.url}${file}`)
      assert.equal(response.status, 401, file)
      assert.equal(await response.text(), '', file)
    }
    const { status, body } = await refusal(`${server.url.replace('http', 'ws')}live`)
    assert.deepEqual([status, body], [401, ''])
  })
})

describe('a page of another origin', () => {
  it('sees nothing: neither files, nor frames, nor what goes on', async (t) => {
    const { server, look } = await openDashboard(t)
    const other = Fastify()
    endWith(t, other)
    other.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html>'))
    await other.listen({ host: '127.0.0.1', port: 0 })
    const context = await (await browser()).newContext()
    t.after(() => context.close())
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${portOf(other)}/`)

    const read = await page.evaluate(
      async ([url, files]) => {
        const found: string[] = []
        for (const file of files) {
          const text = await fetch(`${url}${file}`).then(
            (response) => response.text(),
            () => '',
          )
          if (text !== '') found.push(file)
        }
        return found
      },
      [server.url, FILES] as const,
    )
    assert.deepEqual(read, [])

    assert.equal(await hear(page, server.url), 'closed 1006')
    const { page: own } = await look()
    assert.match(await hear(own, server.url), /^heard /)

    const shown = await page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const frame = document.createElement('iframe')
          frame.addEventListener('load', () => resolve(frame.contentDocument?.title ?? 'closed'))
          frame.src = url
          document.body.append(frame)
        }),
      server.url,
    )
    assert.equal(shown, 'closed')
    const inside = page.frames().find((frame) => frame !== page.mainFrame())
    assert.equal(await inside?.locator('main').count(), 0)
    assert.equal(server.app.websocketLifecycle.stats().refused.origin, 1)
  })
})

/** What a page hears of what goes on. */
function hear(page: Page, url: string): Promise<string> {
  return page.evaluate(
    (address) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${address.replace('http', 'ws')}live`, 'wsl.1')
        socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
          resolve(`heard ${data}`)
        })
        socket.addEventListener('close', ({ code }) => resolve(`closed ${code}`))
      }),
    url,
  )
}
