// `npm run picture`: the README's picture, light and dark: what the demo tells of one connection that has ended.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Demo } from '../../examples/demo/demo.js'
import { browser, closeBrowser } from './support/browser.js'
import { DemoPage } from './support/demo-page.js'
import { withPalette } from './support/png.js'

/** An ending is 640 pixels wide in it, as wide as the README shows it. */
const VIEWPORT = { width: 706, height: 900 }

/** Looks like what most people have for `system-ui`, where the machine has it (Debian: fonts-inter). */
const FONT = 'body { font-family: Inter, system-ui, sans-serif }'

const demo = await Demo.open({ regulars: 0, linger: 300 })

async function enter(colorScheme: 'light' | 'dark'): Promise<DemoPage> {
  const context = await (
    await browser()
  ).newContext({
    viewport: VIEWPORT,
    deviceScaleFactor: 2,
    colorScheme,
    reducedMotion: 'reduce',
    bypassCSP: true,
  })
  const page = await context.newPage()
  await page.goto(demo.url)
  await page.addStyleTag({ content: FONT })
  const room = new DemoPage(page)
  await room.isIn()
  return room
}

const rooms = { light: await enter('light'), dark: await enter('dark') }
await rooms.light.button('freeze').click()

for (const [name, room] of Object.entries(rooms)) {
  const ending = room.ending('heartbeat-timeout')
  await ending.locator('.needed summary').click()
  await ending.locator('.needed pre').waitFor()
  await room.page.evaluate(() => (document.activeElement as HTMLElement).blur())
  const file = fileURLToPath(new URL(`../../docs/demo-${name}.png`, import.meta.url))
  const picture = withPalette(await ending.screenshot())
  await writeFile(file, picture)
  console.log(file, picture.readUInt32BE(16), picture.length)
}
await closeBrowser()
await demo.close()
