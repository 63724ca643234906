// The page of the demo as people use it: two at once, a reload, by keyboard, with a server that is away.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { freePort } from '../../examples/cluster/free-port.js'
import { Demo } from '../../examples/demo/demo.js'
import { DemoPage, toldBy } from './support/demo-page.js'
import { browser } from './support/browser.js'
import { openRoom } from './support/room.js'

describe('two pages', () => {
  it('see each other come, speak and go', async (t) => {
    const { enter } = await openRoom(t)
    const first = await enter()
    const second = await enter()
    const name = (await second.status()).replace('You are ', '')
    await first.rows().filter({ hasText: name }).filter({ hasText: 'tab' }).waitFor()

    await second.page.locator('#text').fill('<b>hi</b> & "bye"')
    await second.page.keyboard.press('Enter')
    const said = first.page.locator('.said').filter({ hasText: name })
    assert.equal(await said.locator('p').innerText(), '<b>hi</b> & "bye"')
    assert.equal(await second.page.locator('#text').inputValue(), '')

    await second.page.close()
    const ending = first.ending('client-close')
    assert.equal((await toldBy(ending)).facts['code'], '1001')
    assert.equal(await ending.locator('summary b').innerText(), name)
    assert.equal(await first.rows().count(), 1)
  })

  it('see the same endings, and each where its own are', async (t) => {
    const { enter } = await openRoom(t)
    const [first, second] = [await enter(), await enter()]
    await first.choose('tab')
    await first.button('terminate').click()
    const ending = first.ending('server-terminate').locator('b', { hasText: '(you)' })
    await ending.waitFor()
    await second.ending('server-terminate').waitFor()
    assert.equal(await second.page.getByText('(you)').count(), 0)
  })
})

describe('a reload', () => {
  it('is an ending with 1001, and the name stays', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const name = await room.status()
    await room.button('reset').click()
    await room.ending('connection-reset').waitFor()
    await room.page.reload()
    await room.isIn()
    assert.equal(await room.status(), name)
    const told = await toldBy(room.ending('client-close'))
    assert.deepEqual([told.facts['code'], told.sees], ['1001', '1001'])
    assert.equal(await room.page.locator('#endings > li').count(), 2)
    assert.equal(await room.rows().count(), 1)
  })
})

describe('by keyboard alone', () => {
  it('everything is reached and done, in the order that is seen', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const { keyboard } = room.page
    const focused = (): Promise<string> =>
      room.page.evaluate(() => {
        const { activeElement: it } = document
        return (
          it?.getAttribute('data-act') ??
          it?.getAttribute('value') ??
          (it?.id || it?.closest('.needed')?.className || it?.textContent || '')
        )
      })
    const visited: string[] = []
    while (visited.at(-1) !== 'send') {
      await keyboard.press('Tab')
      visited.push(await focused())
      const outline = await room.page.evaluate(() => {
        const { activeElement: it } = document
        const shown = it?.closest('label') ?? it
        return shown === null ? 'none' : getComputedStyle(shown).outlineStyle
      })
      assert.equal(outline, 'solid', visited.at(-1))
      assert.ok(visited.length < 32, visited.join())
    }
    const order =
      'skip README Getting started Endings Recipes Troubleshooting helper close code 4000 cut reset freeze line-cut line-silence garbage big flood deaf jobs throw reject kick terminate drain ' +
      'start end-example needed log text send'
    assert.equal(visited.join(' '), order)

    await room.button('reject').focus()
    await keyboard.press('Enter')
    const ending = room.ending('handler-error')
    await ending.waitFor()
    assert.equal(await focused(), 'reject')
    await ending.locator('summary').first().focus()
    await keyboard.press('Space')
    assert.equal(await ending.locator('details').first().getAttribute('open'), null)
    await keyboard.press('Space')
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await ending.locator('.needed pre').waitFor({ state: 'hidden' })
    await keyboard.press('Enter')
    await ending.locator('.needed pre').waitFor()

    await room.page.locator('[value=helper]').focus()
    await keyboard.press('ArrowRight')
    await room.button('kick').focus()
    await keyboard.press('Space')
    const door = room.page.getByRole('button', { name: 'Come back' })
    await door.waitFor()
    assert.equal(await focused(), 'kick')
    await door.focus()
    await keyboard.press('Enter')
    await room.isIn()
    assert.equal(await focused(), 'status')
  })
})

describe('a server that is away', () => {
  it('is asked again and again, each time later, and the page says so', async (t) => {
    const demo = await Demo.open({ port: await freePort() })
    // Chromium itself complains on the console of a server that is not there.
    const context = await (await browser()).newContext()
    t.after(() => context.close())
    const page = await context.newPage()
    const room = new DemoPage(page)
    await page.goto(demo.url)
    await room.isIn()
    // It chooses each moment at random, and a try may be due at once.
    const said = await room.allOf('#own p')
    await demo.close()
    for (const attempt of [1, 2, 3]) {
      await page.waitForFunction(
        ([texts, words]) => texts.some((text) => new RegExp(words).test(text)),
        [said, `Try ${attempt} in \\d\\.\\d s$`] as const,
      )
    }
    const again = await Demo.open({ port: Number(new URL(demo.url).port) })
    t.after(() => again.close())
    // It may come in by itself, and the button is gone.
    const tryNow = page.getByRole('button', { name: 'Try now' }).click()
    await Promise.race([tryNow.catch(() => {}), room.isIn()])
    await room.isIn()
  })
})
