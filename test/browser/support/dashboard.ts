import assert from 'node:assert/strict'
import { after, type TestContext } from 'node:test'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { AWAY, browser, closeBrowser, PATIENCE } from './browser.js'
import { DashboardPage } from './dashboard-page.js'
import { type DashboardOptions, DashboardServer } from './dashboard-server.js'

after(closeBrowser)

export interface Dashboard {
  readonly server: DashboardServer
  /** Opens the page; the test fails if it says anything on its console, or asks anybody else. */
  readonly look: (options?: BrowserContextOptions) => Promise<DashboardPage>
}

/** What Chromium itself says when a page may not look any more, or asks a server that is about to go whether it may. */
const NOT_LET_IN = /^error: .*(?:HTTP Authentication failed|status of (?:401|503))/

export async function openDashboard(
  t: TestContext,
  options: DashboardOptions = {},
): Promise<Dashboard> {
  const server = new DashboardServer(options)
  await server.start()
  const contexts: BrowserContext[] = []
  const said: string[] = []
  t.after(async () => {
    for (const context of contexts) await context.close()
    await server.stop()
    assert.deepEqual(
      said.filter((text) => !AWAY.test(text) && !NOT_LET_IN.test(text)),
      [],
    )
  })
  return {
    server,
    look: async (contextOptions) => {
      const context = await (await browser()).newContext(contextOptions)
      contexts.push(context)
      context.setDefaultTimeout(PATIENCE)
      const page = await context.newPage()
      listenTo(page, server.origin, said)
      await page.goto(server.url)
      const dashboard = new DashboardPage(page)
      await dashboard.isLive()
      return dashboard
    },
  }
}

function listenTo(page: Page, origin: string, said: string[]): void {
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => said.push(String(error.stack)))
  page.on('dialog', (dialog) => {
    said.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) said.push(`asked for ${request.url()}`)
  })
}
