// What the page of the demo says of a server that is killed, and of the one that comes after it.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { freePort } from '../../examples/cluster/free-port.js'
import { Demo } from '../../examples/demo/demo.js'
import { addressIn, start } from '../support/servers/program.js'
import { browser } from './support/browser.js'
import { DemoPage } from './support/demo-page.js'
import './support/room.js'

/** Chromium itself complains on the console of a server that is not there: nobody listens to that here. */
async function visit(t: TestContext, url: string): Promise<DemoPage> {
  const context = await (await browser()).newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  const room = new DemoPage(page)
  await page.goto(url)
  await room.isIn()
  return room
}

describe('a server that is killed', () => {
  it('is said to be unreachable, and when it was last seen; what was is forgotten with it', async (t) => {
    const program = start(t, 'examples/demo/server.ts', { PORT: String(await freePort()) })
    const { origin, port } = addressIn(await program.line('The demo is open at'))
    const room = await visit(t, origin)
    const { page } = room
    assert.equal(await page.locator('#here').innerText(), 'Open now 3')
    await room.button('reset').click()
    await room.ending('connection-reset').waitFor()
    await page.locator('#text').fill('before')
    await page.keyboard.press('Enter')
    await page.locator('.said').waitFor()

    await room.button('freeze').click()
    const state = room.beside('freeze').locator('.state')
    await state.waitFor()
    program.kill('SIGKILL')
    const unreachable = page.locator('#unreachable')
    await unreachable.getByText(/^The server is unreachable\./).waitFor()
    assert.match(await unreachable.innerText(), /Last seen at \d\d:\d\d:\d\d.*, \d+ s ago/)
    assert.equal(await page.locator('#here').innerText(), 'Open when last seen 4')
    assert.equal(await state.isVisible(), false)

    const again = await Demo.open({ port: Number(port) })
    t.after(() => again.close())
    await room.isIn()
    await unreachable.waitFor({ state: 'hidden' })
    assert.equal(await page.locator('#here').innerText(), 'Open now 1')
    assert.match(
      await page.locator('#restarted').innerText(),
      /^The server was restarted\. .* last seen at \d\d:.* \(1006\), .*killed.* since \d\d:.*gone with it\.$/,
    )
    await page
      .getByRole('log')
      .getByText(/^The server was restarted/)
      .waitFor()
    assert.equal(await page.locator('#endings > li').count(), 0)
    assert.equal(await page.locator('.said').count(), 0)
    await page.locator('#example > li').waitFor()
  })
})

describe('a server that is stopped, and started again', () => {
  it('is said to have been drained', async (t) => {
    const demo = await Demo.open({ port: await freePort() })
    const room = await visit(t, demo.url)
    await demo.close()
    const again = await Demo.open({ port: Number(new URL(demo.url).port) })
    t.after(() => again.close())
    await room.page.locator('#restarted', { hasText: 'drained first (1012)' }).waitFor()
  })
})

describe('a server that is killed while a tab is out', () => {
  it('is said to be unreachable too', async (t) => {
    const program = start(t, 'examples/demo/server.ts', { PORT: '0' })
    const room = await visit(t, addressIn(await program.line('The demo is open at')).origin)
    await room.choose('tab')
    await room.button('kick').click()
    await room.page.locator('[data-state=away]').waitFor()
    await room.ending('server-close').waitFor()
    await room.page.locator('#unreachable').waitFor({ state: 'hidden' })
    program.kill('SIGKILL')
    await room.page
      .locator('#unreachable')
      .getByText(/^The server is unreachable\./)
      .waitFor()
  })
})
