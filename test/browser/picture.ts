// `npm run picture`: the README's picture, light and dark: what the demo tells of one connection that has ended; and the page
// of operators, after five minutes of life.
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Page, ViewportSize } from 'playwright-core'
import { Demo } from '../../examples/demo/demo.js'
import { browser, closeBrowser } from './support/browser.js'
import { DemoPage } from './support/demo-page.js'
import { DashboardPage } from './support/dashboard-page.js'
import { DashboardServer } from './support/dashboard-server.js'
import { Life, LIFE } from './support/dashboard-life.js'
import { withPalette } from './support/png.js'

/** An ending is 640 pixels wide in it, as wide as the README shows it. */
const VIEWPORT = { width: 706, height: 900 }

/** Looks like what most people have for `system-ui`, where the machine has it (Debian: fonts-inter). */
const FONT = 'body { font-family: Inter, system-ui, sans-serif }'

/** As much of the page of operators as shows the first rows. */
const OPERATORS_VIEWPORT = { width: 1240, height: 1420 }

/** How much life there is on it, in seconds, and when something in between restarts for the first time. */
const SECONDS = Number(process.env['SECONDS'] ?? 300)
const RESTART = SECONDS - 140

type Scheme = 'light' | 'dark'

async function open(url: string, colorScheme: Scheme, viewport: ViewportSize): Promise<Page> {
  const context = await (
    await browser()
  ).newContext({
    viewport,
    deviceScaleFactor: 2,
    colorScheme,
    reducedMotion: 'reduce',
    bypassCSP: true,
  })
  const page = await context.newPage()
  await page.goto(url)
  await page.addStyleTag({ content: FONT })
  return page
}

async function save(name: string, screenshot: Buffer): Promise<void> {
  const file = fileURLToPath(new URL(`../../docs/${name}.png`, import.meta.url))
  const picture = withPalette(screenshot)
  await writeFile(file, picture)
  console.log(file, picture.readUInt32BE(16), picture.length)
}

async function pictureDemo(): Promise<void> {
  const demo = await Demo.open({ regulars: 0, linger: 300 })
  const enter = async (scheme: Scheme): Promise<DemoPage> => {
    const room = new DemoPage(await open(demo.url, scheme, VIEWPORT))
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
    await save(`demo-${name}`, await ending.screenshot())
  }
  await demo.close()
}

async function pictureDashboard(): Promise<void> {
  const server = new DashboardServer(LIFE)
  await server.start()
  const life = new Life(server)
  await life.begin()
  const pages = {
    light: await open(server.url, 'light', OPERATORS_VIEWPORT),
    dark: await open(server.url, 'dark', OPERATORS_VIEWPORT),
  }
  for (const page of Object.values(pages)) await new DashboardPage(page).isLive()
  for (let second = 0; second < SECONDS; second++) {
    await Promise.all([delay(1_000), life.step(second, second === RESTART)])
  }
  await life.step(SECONDS, true)
  const shots = Object.entries(pages).map(async ([name, page]) => {
    await page.locator('#reports-now [data-kind=storm]').waitFor()
    // What follows the restart is seen, too.
    await delay(3_000)
    return [name, await page.screenshot()] as const
  })
  for (const [name, screenshot] of await Promise.all(shots)) {
    await save(`dashboard-${name}`, screenshot)
  }
  life.end()
  await server.stop()
}

await pictureDemo()
await pictureDashboard()
await closeBrowser()
