// `npm run bench:dashboard`: how many frames a second the page of operators draws, with 10,000 rows of real connections of
// which 500 open and 500 end each second. Server, clients and browser are processes of their own. It ends with 1 below the
// bound.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { WebSocket } from 'ws'
import { browser, closeBrowser } from './support/browser.js'
import { DashboardPage } from './support/dashboard-page.js'
import { DashboardServer } from './support/dashboard-server.js'

const ROWS = 10_000

/** So many open each second, and as many end. */
const CHURN = 500

/** Frames a second. */
const BOUND = 50

/** How long is measured, in ms. */
const TIME = 5_000

/** How often clients come and go, in ms. */
const STEP = 50

/** How many clients open at the same time at first. */
const AT_ONCE = 200

const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0',
  'okhttp/5.1.0',
  'ws/8',
  'python/3.14',
]

interface Frames {
  /** A second. */
  readonly rate: number
  /** Between two frames, in ms: of 95 in 100, and at most. */
  readonly high: number
  readonly most: number
}

async function serve(): Promise<void> {
  const server = new DashboardServer({ plugin: { maxConnections: 2 * ROWS } })
  await server.start()
  process.send?.(server.origin)
  await once(process, 'disconnect')
  process.exit()
}

/** Opens all, says so, and then lets the oldest go and new ones come. */
async function crowd(origin: string): Promise<void> {
  const clients: WebSocket[] = []
  let made = 0
  const open = async (): Promise<void> => {
    const count = made++
    const ws = new WebSocket(`${origin.replace('http', 'ws')}/chat`, {
      headers: { 'user-agent': `${AGENTS[count % AGENTS.length]} ${count}` },
      perMessageDeflate: false,
      // One address has not enough ports for those that come and go.
      localAddress: `127.0.0.${2 + (count % 8)}`,
    })
    await once(ws, 'open')
    clients.push(ws)
  }
  while (clients.length < ROWS) await Promise.all(Array.from({ length: AT_ONCE }, open))
  process.send?.('open')
  process.on('disconnect', () => process.exit())
  const each = (CHURN * STEP) / 1_000
  for (let dueAt = performance.now(); ; dueAt += STEP) {
    await delay(Math.max(0, dueAt - performance.now()))
    for (const [i, ws] of clients.splice(0, each).entries()) {
      if (i % 3 === 0) ws.terminate()
      else ws.close(i % 3 === 1 ? 1000 : 4000 + i, 'it is over')
    }
    await Promise.all(Array.from({ length: each }, open))
  }
}

/** @param isScrolling whether somebody scrolls through the rows meanwhile */
function measure(page: Page, isScrolling: boolean): Promise<Frames> {
  return page.evaluate(
    async ([time, scrolls]) => {
      const rows = document.querySelector('#connections-grid')
      const [begin, times]: [number, number[]] = [performance.now(), []]
      let last = begin
      while (last - begin < time) {
        await new Promise((resolve) => requestAnimationFrame(resolve))
        const now = performance.now()
        times.push(now - last)
        last = now
        if (scrolls && rows !== null) rows.scrollTop += 40
      }
      const sorted = times.toSorted((a, b) => a - b)
      return {
        rate: (1_000 * times.length) / (last - begin),
        high: sorted[Math.floor(sorted.length * 0.95)] ?? 0,
        most: sorted.at(-1) ?? 0,
      }
    },
    [TIME, isScrolling] as const,
  )
}

/** How many have opened, as the page knows. */
async function openedOf(page: Page): Promise<number> {
  const text = await page.locator('#tile-opened span').innerText()
  return Number(text.replaceAll(',', '').split(' ')[0])
}

function say(what: string, { rate, high, most }: Frames): void {
  const numbers = `95 % after ${high.toFixed(1)} ms, all after ${most.toFixed(0)} ms`
  console.log(`${what}: ${rate.toFixed(1)} frames a second, ${numbers}`)
}

async function main(): Promise<void> {
  const children: ChildProcess[] = []
  const start = async (...args: string[]): Promise<string> => {
    const child = fork(fileURLToPath(import.meta.url), args)
    children.push(child)
    const [said] = (await once(child, 'message')) as [string]
    return said
  }
  const origin = await start('server')
  await start('clients', origin)

  const page = await (await browser()).newPage({ viewport: { width: 1440, height: 1000 } })
  say('an empty page', await measure(page, false))
  await page.goto(`${origin}/admin/`)
  const dashboard = new DashboardPage(page)
  await dashboard.isLive()
  // Some are gone before those that take their places have come.
  await dashboard.says('#connections-count', /^(?:9,[5-9]|10,0)\d\d rows(?! · \d+ more)/)
  await page.locator('#connections').scrollIntoViewIfNeeded()
  await delay(2_000)
  const [before, from] = [await openedOf(page), performance.now()]
  const still = await measure(page, false)
  say(`the page, ${await dashboard.counts()}`, still)
  const scrolled = await measure(page, true)
  say('the same while it is scrolled', scrolled)
  const rate = (1_000 * ((await openedOf(page)) - before)) / (performance.now() - from)
  console.log(`${rate.toFixed(0)} have opened each second`)

  await closeBrowser()
  for (const child of children) child.disconnect()
  if (Math.min(still.rate, scrolled.rate) >= BOUND) return
  console.error(`Expected ${BOUND} frames a second at least`)
  process.exitCode = 1
}

const [, , role, origin = ''] = process.argv
if (role === 'server') await serve()
else if (role === 'clients') await crowd(origin)
else await main()
