// What stands beside the buttons of the demo: the effect is seen where it was caused, also on a phone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DemoPage } from './support/demo-page.js'
import { openRoom } from './support/room.js'

const PHONE = { viewport: { width: 390, height: 844 } }

/** Where all buttons stand. */
function boxes({ page }: DemoPage): Promise<string[]> {
  return page.locator('#acts button').evaluateAll((buttons) =>
    buttons.map((button) => {
      const { x, y, width, height } = button.getBoundingClientRect()
      return [button.textContent, x, y + scrollY, width, height].join()
    }),
  )
}

for (const viewport of [PHONE.viewport, { width: 1280, height: 800 }]) {
  describe(`beside a button, at ${viewport.width} pixels`, () => {
    it('a flood is seen at once, and whose it is', async (t) => {
      const { enter } = await openRoom(t)
      const room = await enter({ viewport })
      await room.button('flood').click()
      const beside = room.beside('flood')
      await beside.getByText(/^\d+ unhandled, paused$/).waitFor()
      const box = await beside.boundingBox()
      const top = await room.page.evaluate(() => scrollY)
      assert.ok(box !== null && box.y >= 0 && box.y + box.height < viewport.height)
      assert.equal(top, 0)
      const row = room.rows().filter({ hasText: 'Flood' })
      assert.equal(await row.locator('b').innerText(), await beside.getAttribute('title'))
    })

    it('a frozen one is counted up to its end, which is a link to it', async (t) => {
      const { enter } = await openRoom(t)
      const room = await enter({ viewport })
      const said = await room.allOf('[role=group]:has([data-act=freeze]) .doing')
      await room.button('freeze').click()
      const beside = room.beside('freeze')
      await beside.getByRole('link', { name: 'heartbeat-timeout' }).waitFor()
      const seconds = (await said.jsonValue()).flatMap(
        (text) => /silent (\d) of at most 7 s/.exec(text)?.[1] ?? [],
      )
      // A page that stands still for a second leaves one out.
      assert.ok(seconds.length >= 2, String(seconds))
      assert.deepEqual(seconds, seconds.toSorted())
      await beside.getByRole('link', { name: 'heartbeat-timeout' }).click()
      const ending = room.ending('heartbeat-timeout')
      assert.equal(
        await room.page.evaluate(() => document.activeElement?.id),
        `end-${await ending.getAttribute('data-id')}`,
      )
      const box = await ending.locator('summary').first().boundingBox()
      assert.ok(box !== null && box.y >= 0 && box.y < viewport.height, JSON.stringify(box))
      assert.equal(await ending.locator('summary .kind').innerText(), 'Freeze')
    })

    it('nothing moves: not by what it says, nor where it may not be pressed', async (t) => {
      const { enter } = await openRoom(t)
      const room = await enter({ viewport })
      const before = await boxes(room)
      await room.button('reset').click()
      await room.beside('reset').getByRole('link').waitFor()
      assert.deepEqual(await boxes(room), before)
      await room.choose('tab')
      assert.equal(await room.button('freeze').getAttribute('aria-disabled'), 'true')
      assert.deepEqual(await boxes(room), before)
      await room.button('kick').click()
      await room.beside('kick').getByRole('link', { name: 'server-close' }).waitFor()
      const weights = room.page
        .locator('#acts button')
        .evaluateAll((buttons) => buttons.map((button) => getComputedStyle(button).fontWeight))
      assert.deepEqual([...new Set(await weights)], ['600'])
      const height = await room.page.locator('header').evaluate((header) => header.clientHeight)
      assert.ok(height > 0)
      assert.deepEqual(shapes(await boxes(room)), shapes(before))
    })
  })
}

/** Without their places: the header above them tells more once this tab is out. */
function shapes(all: readonly string[]): string[] {
  return all.map((box) => box.split(',').toSpliced(2, 1).join())
}

describe('a hint about dimmed buttons', () => {
  it('says what is true of them', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const hint = room.page.locator('#hint')
    const dimmed = room.page.locator('[data-act][aria-disabled=true]')
    assert.equal(await dimmed.count(), 0)
    await room.choose('tab')
    assert.match(await hint.innerText(), /^Dimmed: no page can/)
    await room.button('kick').click()
    await room.page.locator('[data-state=away]').waitFor()
    assert.match(await hint.innerText(), /connection, which is not open\.$/)
    assert.equal(await dimmed.count(), await room.page.locator('[data-act]').count())
    await room.choose('helper')
    assert.match(await hint.innerText(), /connection, which is not open\.$/)
  })
})

describe('on a phone', () => {
  it('nothing lies over the rows, and no code is cut off', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter(PHONE)
    await room.button('garbage').click()
    const ending = room.ending('protocol-error')
    await ending.locator('.needed summary').click()
    const sticksOut = await room.page
      .locator('.source:visible')
      .evaluateAll((all) => all.map((code) => code.scrollWidth - code.clientWidth))
    assert.deepEqual(sticksOut, [0, 0])
    const fixed = await room.page.evaluate(() =>
      Array.from(document.querySelectorAll('*'), (it) => getComputedStyle(it).position).filter(
        (position) => position === 'fixed' || position === 'sticky',
      ),
    )
    assert.deepEqual(fixed, [])
  })
})
