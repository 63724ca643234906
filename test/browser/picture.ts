// `npm run picture`: the README's picture, light and dark, of a room in which something happens.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Demo } from '../../examples/demo/demo.js'
import { browser, closeBrowser } from './support/browser.js'
import { DemoPage } from './support/demo-page.js'
import { withPalette } from './support/png.js'

const VIEWPORT = { width: 1200, height: 900 }

/** Looks like what most people have for `system-ui`, where the machine has it (Debian: fonts-inter). */
const FONT = 'body { font-family: Inter, system-ui, sans-serif }'

const demo = await Demo.open({ regulars: 0, linger: 300 })

async function enter(name: string, colorScheme: 'light' | 'dark'): Promise<DemoPage> {
  const context = await (
    await browser()
  ).newContext({ viewport: VIEWPORT, colorScheme, reducedMotion: 'reduce', bypassCSP: true })
  await context.addInitScript((kept) => sessionStorage.setItem('name', kept), name)
  const page = await context.newPage()
  await page.goto(demo.url)
  await page.addStyleTag({ content: FONT })
  const room = new DemoPage(page)
  await room.isIn()
  return room
}

const light = await enter('Quiet Heron', 'light')
const dark = await enter('Sunny Otter', 'dark')

for (const [act, cause] of [
  ['code', 'client-close'],
  ['reject', 'handler-error'],
  ['kick', 'server-close'],
] as const) {
  await light.button(act).click()
  await dark.ending(cause).waitFor()
}
await light.button('freeze').click()
await dark.page.locator('#rows .byte', { hasText: '3.' }).waitFor()
await light.button('reset').click()

for (const [name, { page }] of Object.entries({ light, dark })) {
  await page.locator('#endings > li[data-cause=connection-reset]').waitFor()
  await page.mouse.move(0, 0)
  await page.evaluate(() => (document.activeElement as HTMLElement).blur())
  const file = fileURLToPath(new URL(`../../docs/demo-${name}.png`, import.meta.url))
  await writeFile(file, withPalette(await page.screenshot()))
  console.log(file)
}
await closeBrowser()
await demo.close()
