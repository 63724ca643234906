// The page of `npm run start:cluster`: a message to all nodes, a line that is cut, a node that is killed.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { type ClusterDemo, startClusterDemo } from '../../support/servers/cluster-demo.js'
import { violationsOn } from '../support/axe.js'
import { browser, closeBrowser } from '../support/browser.js'

/** How long anything on the page may take, in ms: a death is found within 7 s. */
const PATIENCE = 40_000

/** The number of the node that has the session of a page. */
async function homeOf(page: Page): Promise<number> {
  return Number(/\d/.exec(await page.locator('#node').innerText())?.[0])
}

describe('the page of several nodes', () => {
  let demo: ClusterDemo
  const stops: Array<() => Promise<void>> = []
  let contexts: BrowserContext[]
  let said: string[]
  before(async () => {
    demo = await startClusterDemo({ after: (stop) => void stops.push(stop) })
  })
  after(async () => {
    await closeBrowser()
    for (const stop of stops) await stop()
  })
  beforeEach(() => {
    contexts = []
    said = []
  })
  afterEach(async () => {
    for (const context of contexts) await context.close()
    // Chromium complains of connections that are cut, and of a balancer without nodes.
    assert.deepEqual(
      said.filter((text) => !text.startsWith('error: WebSocket connection to')),
      [],
    )
  })

  async function enter(options?: BrowserContextOptions): Promise<Page> {
    const context = await (await browser()).newContext(options)
    contexts.push(context)
    context.setDefaultTimeout(PATIENCE)
    const page = await context.newPage()
    page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => said.push(String(error)))
    page.on('request', (request) => {
      if (new URL(request.url()).host !== demo.url.host) said.push(`asked for ${request.url()}`)
    })
    await page.goto(demo.url.href)
    await page.locator('[data-state=open]').first().waitFor()
    await page.locator('.here .you').waitFor()
    return page
  }

  it('shows all sessions on their nodes, its own among them', async () => {
    const page = await enter()
    const home = await homeOf(page)
    const own = page.locator(`.node[data-node="${home}"] .here .you`)
    assert.equal(await own.count(), 1)
    assert.ok((await page.locator('.here li').count()) >= 30)
    assert.match(
      await page.getByRole('status').first().innerText(),
      new RegExp(`^You are \\w+ \\w+, on node ${home}$`),
    )
  })

  it('brings a message to all, as text', async () => {
    const [page, other] = [await enter(), await enter()]
    await page.getByRole('textbox', { name: 'Your message' }).fill('<img src=x> hello')
    await page.keyboard.press('Enter')
    await other.getByRole('log').getByText('<img src=x> hello', { exact: true }).waitFor()
    await page.getByRole('log').getByText('3 nodes have it', { exact: true }).waitFor()
  })

  it('finds its session again through another node when its line is cut', async () => {
    const page = await enter()
    const home = await homeOf(page)
    await page.getByRole('button', { name: 'Cut my connection' }).focus()
    await page.keyboard.press('Enter')
    const story = page.locator('#story')
    await story
      .getByText(
        new RegExp(
          `^Resumed on node ${home} through node [123] after .*, nothing lost: \\d+ messages had waited\\.$`,
        ),
      )
      .waitFor()
    assert.equal(await homeOf(page), home)
    assert.match(await page.locator('#through').innerText(), /^node [123], which pipes$/)
    assert.equal(await page.locator('#missing').innerText(), '0')
    assert.equal(await page.locator('#resumes').innerText(), '1')
  })

  it('kills node 2, whose seats a survivor gives back, and shows it come back', async () => {
    const page = await enter()
    const node = page.locator('.node[data-node="2"]')
    await node.getByRole('button', { name: 'kill -9 node 2' }).click()
    await node.getByText(/^Killed \d+ s ago/).waitFor()
    assert.equal(await node.getByRole('button').getAttribute('aria-disabled'), 'true')
    const cleanups = page.locator('#cleanups')
    for (const seats of [/ \d seats? of node 2\.$/, / (?:[5-9]|1\d) seats of node 2\.$/]) {
      await cleanups.getByText(seats).waitFor()
    }
    await node.getByText(/^\d+ sessions?$/).waitFor()
    assert.equal(await node.getAttribute('data-state'), 'up')
  })

  it('says so when its own node is killed', async () => {
    const page = await enter()
    const home = await homeOf(page)
    await page.getByRole('button', { name: `kill -9 node ${home}` }).click()
    await page
      .getByText(
        new RegExp(
          `^Your session ended with node ${home}\\. You have a new one, on node [123]\\.$`,
        ),
      )
      .waitFor()
    assert.notEqual(await homeOf(page), home)
    await demo.boardWith(({ nodes }) => nodes.every(({ state }) => state === 'up'))
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1280]) {
      it(`is accessible, and nothing sticks out: ${width} pixels, ${colorScheme}`, async () => {
        const viewport = { width, height: 800 }
        const page = await enter({ colorScheme, viewport, reducedMotion: 'reduce' })
        assert.deepEqual(await violationsOn(page), [])
        const scrollable = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.equal(scrollable, width)
      })
    }
  }

  it('has its parts by name', async () => {
    const page = await enter()
    const parts: Array<[Parameters<Page['getByRole']>[0], string]> = [
      ['heading', 'Three nodes, one room'],
      ['link', 'Skip to your connection'],
      ['region', 'Who is where'],
      ['region', 'Your connection'],
      ['region', 'What dead nodes leave behind'],
      ['list', 'Sessions on node 1'],
      ['button', 'kill -9 node 3'],
      ['button', 'Cut my connection'],
      ['log', 'Messages'],
      ['textbox', 'Your message'],
    ]
    for (const [role, name] of parts) {
      assert.equal(await page.getByRole(role, { name, exact: true }).count(), 1, `${role} ${name}`)
    }
  })
})
