// What the page of the demo is to those who see it otherwise, or on something small.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { violationsOn } from './support/axe.js'
import type { DemoPage } from './support/demo-page.js'
import { openRoom } from './support/room.js'

/** Some life: messages, endings good and bad, a peer that is silent, a flood, a drain. */
async function live(room: DemoPage): Promise<void> {
  const { page } = room
  await room.button('drain').click()
  await page.locator('#drained').waitFor()
  await page.locator('#text').fill('Hello')
  await page.keyboard.press('Enter')
  await room.button('close').click()
  await room.ending('client-close').waitFor()
  await room.button('garbage').click()
  await keepOpen(room.ending('protocol-error'))
  await room.button('freeze').click()
  await page.locator('#rows li.suspect', { hasText: 'Freeze' }).waitFor()
  await room.button('flood').click()
  await page.locator('#rows .paused:visible').waitFor()
}

/** Opened by hand, it stays open when the next one comes. */
async function keepOpen(ending: Locator): Promise<void> {
  const summary = ending.locator('summary').first()
  await summary.click()
  await summary.click()
  const lines = ending.locator('.needed pre')
  if (!(await lines.isVisible())) await ending.locator('.needed summary').click()
  await lines.waitFor()
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [360, 1280]) {
    describe(`at ${width} pixels, ${colorScheme}`, () => {
      const options = {
        colorScheme,
        reducedMotion: 'reduce',
        viewport: { width, height: 800 },
      } as const

      it('axe finds nothing, nothing sticks out, and nothing moves that need not', async (t) => {
        const { enter } = await openRoom(t, { regulars: 1 })
        const room = await enter(options)
        assert.deepEqual(await violationsOn(room.page), [])
        await live(room)
        const scrollable = await room.page.evaluate(() => document.documentElement.scrollWidth)
        assert.equal(scrollable, width)
        assert.equal(await room.page.evaluate(() => document.getAnimations().length), 0)
        assert.deepEqual(await violationsOn(room.page), [])
        await room.choose('tab')
        await room.button('kick').click()
        await room.page.locator('[data-state=away]').waitFor()
        assert.deepEqual(await violationsOn(room.page), [])
      })
    })
  }
}

describe('a screen reader', () => {
  it('finds regions, groups and live regions by name', async (t) => {
    const { enter } = await openRoom(t)
    const { page } = await enter()
    const parts: Array<[Parameters<Page['getByRole']>[0], string]> = [
      ['heading', 'fastify-websocket-lifecycle'],
      ['region', 'End a connection'],
      ['link', 'Skip to the chat'],
      ['navigation', 'Documents, as plain text'],
      ['group', 'Whose connection'],
      ['radio', 'A test client’s'],
      ['group', 'Network fails'],
      ['group', 'Too slow'],
      ['button', 'Drain server'],
      ['textbox', 'Close code, 1000 or 3000 to 4999'],
      ['list', 'Open now 1'],
      ['log', 'Messages'],
      ['textbox', 'Your message'],
    ]
    for (const [role, name] of parts) {
      assert.equal(await page.getByRole(role, { name, exact: true }).count(), 1, `${role} ${name}`)
    }
    assert.match(await page.getByRole('status').innerText(), /^You are /)
  })

  it('is told who came and who ended', async (t) => {
    const { enter } = await openRoom(t)
    const { page } = await enter()
    await page.locator('[data-act=cut]').click()
    const log = page.getByRole('log')
    await log.getByText(/^\w+ \w+ \(Without a frame\) connected$/).waitFor()
    await log.getByText(/^\w+ \w+ \(Without a frame\) ended: connection-lost$/).waitFor()
  })
})
