import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { Locator, Page } from 'playwright-core'
import { PATIENCE } from './browser.js'

/** The page of operators, as a person sees it. */
export class DashboardPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  /** Waits until the page hears its server, and has been told what there is. */
  async isLive(): Promise<void> {
    await this.page.locator('body[data-line=open]').waitFor()
    await this.says('#server', /up /)
  }

  async status(): Promise<string> {
    return this.page.locator('#status').innerText()
  }

  /** The number on a tile, and what stands beneath it. */
  async tile(name: string): Promise<string> {
    return (await this.page.locator(`#tile-${name} > *`).allInnerTexts()).join(', ')
  }

  /** The rows of a grid that are made. */
  rows(grid: 'connections' | 'ends' = 'connections'): Locator {
    return this.page.locator(`#${grid}-grid tbody tr`)
  }

  row(text: string, grid: 'connections' | 'ends' = 'connections'): Locator {
    return this.rows(grid).filter({ hasText: text })
  }

  /** The texts of a column, from the top. */
  column(name: string, grid: 'connections' | 'ends' = 'connections'): Promise<string[]> {
    return this.page.locator(`#${grid}-grid td.${name}`).allTextContents()
  }

  head(title: string): Locator {
    return this.page.locator('#connections-grid').getByRole('columnheader', { name: title })
  }

  async search(words: string): Promise<void> {
    await this.page.getByRole('searchbox', { name: 'Search connections' }).fill(words)
  }

  /** How many rows there are, and which are not shown. */
  counts(): Promise<string> {
    return this.page.locator('#connections-count').innerText()
  }

  async says(selector: string, what: RegExp): Promise<void> {
    await this.page.locator(selector).filter({ hasText: what }).waitFor()
  }

  /** Waits until something holds of the page. */
  async until(holds: () => Promise<boolean>): Promise<void> {
    const startedAt = performance.now()
    while (!(await holds())) {
      assert.ok(performance.now() - startedAt < PATIENCE, `Expected ${String(holds)}`)
      // What it asks may be heard only after this turn.
      await setImmediate()
    }
  }

  get sheet(): Locator {
    return this.page.locator('dialog[open]')
  }

  /** What the sheet says, by name. */
  async facts(): Promise<Record<string, string>> {
    const texts = await this.page.locator('#sheet-facts > div > *').allTextContents()
    const pairs = texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1] as string]] : []))
    return Object.fromEntries(pairs) as Record<string, string>
  }
}
