// How far it is, by keyboard, past the endings of the demo.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DemoPage } from './support/demo-page.js'
import { openRoom } from './support/room.js'

const ENDINGS = 20

async function withEndings(room: DemoPage): Promise<void> {
  for (let i = 1; i <= ENDINGS; i++) {
    await room.button('close').click()
    await room.page.locator(`#endings > li:nth-child(${i})`).waitFor()
  }
}

describe('the endings', () => {
  it('are few stops of the Tab key, however many there are, and arrows go among them', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const { page } = room
    await withEndings(room)
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.id ?? '')
    await room.button('drain').focus()
    let stops = 0
    while ((await focused()) !== 'text') {
      await page.keyboard.press('Tab')
      assert.ok(++stops <= 4, 'log, the newest ending and its lines are before it')
    }

    const ids = await page
      .locator('#endings > li > details > summary')
      .evaluateAll((heads) => heads.map(({ id }) => id))
    await page.locator(`#${ids[0]}`).focus()
    for (const [key, id] of [
      ['ArrowDown', ids[1]],
      ['ArrowDown', ids[2]],
      ['ArrowUp', ids[1]],
      ['End', ids.at(-1)],
      ['ArrowDown', ids.at(-1)],
      ['Home', ids[0]],
      ['ArrowDown', ids[1]],
    ] as const) {
      await page.keyboard.press(key)
      assert.equal(await focused(), id)
    }
    // The one that was left is the one that is come back to.
    await page.keyboard.press('Tab')
    await page.keyboard.press('Shift+Tab')
    assert.equal(await focused(), ids[1])
  })

  it('are passed by a link', async (t) => {
    const { enter } = await openRoom(t)
    const { page } = await enter()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.keyboard.type('Hello')
    assert.equal(await page.locator('#text').inputValue(), 'Hello')
  })
})
