// The table of connections: many rows, of which only those are made that are seen.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Peer } from '../../lib/testing/index.js'
import type { DashboardPage } from './support/dashboard-page.js'
import type { DashboardServer } from './support/dashboard-server.js'
import { openDashboard } from './support/dashboard.js'

const MANY = 600

async function openMany(
  t: TestContext,
): Promise<{ server: DashboardServer; dashboard: DashboardPage; clients: Peer[] }> {
  const { server, look } = await openDashboard(t, {
    plugin: { maxConnections: 2 * MANY },
    routes: (app) => void app.get('/other', { websocket: true, onMessage: () => {} }, () => {}),
  })
  const clients: Peer[] = []
  for (let i = 0; i < MANY; i++) {
    const agent = `agent-${String(i).padStart(4, '0')}`
    clients.push(await server.connect(i % 100 === 7 ? '/other' : '/chat', { 'user-agent': agent }))
  }
  const dashboard = await look({ viewport: { width: 1280, height: 900 } })
  await dashboard.says('#connections-count', new RegExp(`^${MANY + 1} rows$`))
  return { server, dashboard, clients }
}

/** Sorted by what no two rows have in common: the page's own comes first, Mozilla. */
async function sortByAgent(dashboard: DashboardPage): Promise<void> {
  await dashboard.head('Agent').getByRole('button').click()
  await dashboard.until(async () => (await dashboard.column('agent'))[1] === 'agent-0000')
}

describe('a table of many connections', () => {
  it('has only the rows that are seen in the page, wherever it is scrolled to', async (t) => {
    const { dashboard } = await openMany(t)
    await sortByAgent(dashboard)
    const { page } = dashboard
    const grid = page.getByRole('grid', { name: 'Connections' })
    assert.equal(await grid.getAttribute('aria-rowcount'), String(MANY + 2))
    assert.ok((await dashboard.rows().count()) < 40)
    await page.locator('#connections-grid').evaluate((scroller) => {
      scroller.scrollTop = 300 * (scroller.querySelector('tbody tr') as HTMLElement).offsetHeight
    })
    await dashboard.row('agent-0305').waitFor()
    assert.ok((await dashboard.rows().count()) < 40)
    assert.equal(await dashboard.row('agent-0305').getAttribute('aria-rowindex'), '308')
    const agents = await dashboard.column('agent')
    assert.deepEqual(agents, agents.toSorted())
  })

  it('is sorted by each column, both ways', async (t) => {
    const { dashboard } = await openMany(t)
    await sortByAgent(dashboard)
    assert.equal(await dashboard.head('Agent').getAttribute('aria-sort'), 'ascending')
    await dashboard.head('Agent').getByRole('button').click()
    await dashboard.until(async () => (await dashboard.column('agent'))[1] === `agent-0598`)
    assert.equal(await dashboard.head('Agent').getAttribute('aria-sort'), 'descending')
    await dashboard.head('Route').getByRole('button').click()
    await dashboard.until(async () => (await dashboard.column('route'))[0] === '/admin/live')
    assert.equal(await dashboard.head('Agent').getAttribute('aria-sort'), 'none')
    await dashboard.head('Open for').getByRole('button').click()
    await dashboard.until(async () => (await dashboard.column('agent'))[0] === 'agent-0000')
  })

  it('is searched in all words at once', async (t) => {
    const { dashboard } = await openMany(t)
    await dashboard.search('/OTHER agent-01')
    await dashboard.says('#connections-count', new RegExp(`^1 of ${MANY + 1} rows$`))
    assert.deepEqual(await dashboard.column('agent'), ['agent-0107'])
    await dashboard.search('nobody has this')
    await dashboard.says('#connections-none', /^No row has all of these words\.$/)
    await dashboard.search('')
    await dashboard.says('#connections-count', new RegExp(`^${MANY + 1} rows$`))
  })

  it('is walked through by keys, and Enter opens', async (t) => {
    const { dashboard } = await openMany(t)
    await sortByAgent(dashboard)
    const { page } = dashboard
    await page.getByRole('searchbox').focus()
    // Past the twelve headers.
    const grid = page.getByRole('grid', { name: 'Connections' })
    await page.keyboard.press('Tab')
    assert.ok(await grid.evaluate((table) => table === document.activeElement))
    const chosen = (): Promise<string> =>
      page.evaluate(() => {
        const id = document.querySelector('#connections-grid table')
        const name = id?.getAttribute('aria-activedescendant') ?? ''
        const row = name === '' ? null : document.querySelector(`#${name}`)
        return row?.querySelector('.agent')?.textContent ?? 'none'
      })
    const [keys, agents]: [string[], RegExp[]] = [
      ['ArrowDown', 'ArrowDown', 'ArrowUp', 'End', 'Home', 'PageDown', 'PageUp', 'ArrowDown'],
      [/0000/, /0001/, /0000/, /0599/, /Mozilla/, /agent-00\d\d/, /Mozilla/, /0000/],
    ]
    for (const [i, key] of keys.entries()) {
      await page.keyboard.press(key)
      await dashboard.until(async () => agents[i]?.test(await chosen()) === true)
    }
    await page.keyboard.press('Enter')
    await dashboard.says('#sheet-facts', /agent-0000/)
    await page.keyboard.press('Escape')
    await dashboard.sheet.waitFor({ state: 'detached' })
    assert.ok(await grid.evaluate((table) => table === document.activeElement))
  })

  it('holds still beneath a pointer, and says so', async (t) => {
    const { server, dashboard, clients } = await openMany(t)
    await sortByAgent(dashboard)
    await dashboard.row('agent-0003').hover()
    await dashboard.says('#connections-count', /held still while you point at them$/)
    void clients[1]?.close(1000)
    await dashboard.row('agent-0001').filter({ hasText: 'ended' }).waitFor()
    await server.connect('/chat', { 'user-agent': 'agent-00009' })
    // Nobody points at it any more.
    await dashboard.row('agent-00009').waitFor()
    await dashboard.row('agent-0001').waitFor({ state: 'detached' })
  })

  it('tells the server which rows are seen, and only when these are others', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const { page } = dashboard
    const seen: string[][] = []
    let heard = 0
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => {
        if (String(payload).includes('"second":')) heard++
      })
      socket.on('framesent', ({ payload }) => {
        const [, ids] = /"type":"see","ids":(\[.*\])\}/.exec(String(payload)) ?? []
        if (ids !== undefined) seen.push(JSON.parse(ids) as string[])
      })
    })
    await page.reload()
    await dashboard.isLive()
    await server.connect('/chat', { 'user-agent': 'one/1' })
    await dashboard.row('one/1').waitFor()
    await dashboard.until(async () => seen.at(-1)?.length === 2)
    const { length } = seen
    assert.ok(length <= 2, `${length} times`)
    // Two more seconds, in which the rows are the same.
    const before = heard
    await dashboard.until(async () => heard >= before + 2)
    assert.equal(seen.length, length)
  })
})
