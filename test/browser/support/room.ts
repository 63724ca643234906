import assert from 'node:assert/strict'
import { after, type TestContext } from 'node:test'
import type { BrowserContext, BrowserContextOptions } from 'playwright-core'
import { freePort } from '../../../examples/cluster/free-port.js'
import { Demo, type DemoOptions } from '../../../examples/demo/demo.js'
import { AWAY, browser, closeBrowser, PATIENCE } from './browser.js'
import { DemoPage } from './demo-page.js'

after(closeBrowser)

export interface Room {
  readonly demo: Demo
  /** Opens a page; the test fails if it says anything on its console, or asks anybody else. */
  readonly enter: (options?: BrowserContextOptions) => Promise<DemoPage>
}

/** The demo, whose helpers act as soon as they are in, and those who look at it. */
export async function openRoom(t: TestContext, options: DemoOptions = {}): Promise<Room> {
  const demo = await Demo.open({ linger: 0, port: await freePort(), ...options })
  let wasAway = false
  demo.chat.on('drain', () => (wasAway = true))
  const contexts: BrowserContext[] = []
  const said: string[] = []
  t.after(async () => {
    for (const context of contexts) await context.close()
    await demo.close()
    const complaints = wasAway ? said.filter((text) => !AWAY.test(text)) : said
    assert.deepEqual(complaints, [])
  })
  return {
    demo,
    enter: async (options) => {
      const context = await (await browser()).newContext(options)
      contexts.push(context)
      context.setDefaultTimeout(PATIENCE)
      const page = await context.newPage()
      page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
      page.on('pageerror', (error) => said.push(String(error)))
      page.on('request', (request) => {
        if (new URL(request.url()).origin !== demo.url) said.push(`asked for ${request.url()}`)
      })
      await page.goto(demo.url)
      const room = new DemoPage(page)
      await room.isIn()
      return room
    },
  }
}
