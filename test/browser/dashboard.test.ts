// The page of operators against our plugin, with real clients.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDashboard } from './support/dashboard.js'

describe('the page of operators', () => {
  it('shows who is connected, and what opens and ends', async (t) => {
    const { server, look } = await openDashboard(t)
    const client = await server.connect('/chat', { 'user-agent': 'one/1' })
    const dashboard = await look()
    await dashboard.row('one/1').waitFor()
    assert.match(await dashboard.row('one/1').innerText(), /open[^]*\/chat[^]*127\.0\.0\.1/)
    // Its own session is one, too.
    await dashboard.until(async () => (await dashboard.tile('open')).startsWith('2,'))
    await server.connect('/chat', { 'user-agent': 'two/2' })
    await dashboard.row('two/2').waitFor()
    await dashboard.says('#tile-opened span', /^1 in 5 min$/)
    void client.close(1000, 'bye')
    await dashboard.row('one/1').waitFor({ state: 'detached' })
    await dashboard.says('#tile-ended span', /^1 in 5 min$/)
    await dashboard.says('#causes-legend', /^client-close1$/)
    await dashboard.row('client-close', 'ends').filter({ hasText: 'bye' }).waitFor()
    await dashboard.says('#routes-rows tr', /^\/chat121client-close 100 %0$/)
  })

  it('says who is refused, and why', async (t) => {
    const { server, look } = await openDashboard(t, { plugin: { maxConnections: 1 } })
    const dashboard = await look()
    await assert.rejects(server.connect())
    await dashboard.says('#refusals-rows', /^limita limit is reached1$/)
    await dashboard.says('#tile-refused span', /^1 in 5 min$/)
  })
})

describe('the list of ends', () => {
  it('is filtered by the cause that is chosen in the legend of the chart', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const [one, two] = [await server.connect(), await server.connect()]
    void one.close(1000)
    two.drop()
    await dashboard.row('connection-lost', 'ends').waitFor()
    await dashboard.row('client-close', 'ends').waitFor()
    assert.equal(await dashboard.page.locator('#ends-count').innerText(), 'the last 2 ends')
    const { page } = dashboard
    await page.locator('#causes-legend button').filter({ hasText: 'connection-lost' }).click()
    await dashboard.says('#ends-count', /^1 of the last 2 ends$/)
    assert.deepEqual(await dashboard.column('cause', 'ends'), ['connection-lost'])
    await page.getByRole('combobox', { name: 'Cause' }).selectOption('client-close')
    // The count is as before.
    await dashboard.row('client-close', 'ends').waitFor()
    await dashboard.says('#ends-count', /^1 of the last 2 ends$/)
    assert.deepEqual(await dashboard.column('cause', 'ends'), ['client-close'])
  })

  it('has the record of each', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const client = await server.connect('/chat', { 'user-agent': 'one/1' })
    void client.close(4001, 'enough')
    await dashboard.row('enough', 'ends').click()
    await dashboard.says('#sheet-facts', /received frame/)
    const facts = await dashboard.facts()
    assert.equal(facts['cause'], 'client-close')
    assert.equal(facts['code'], '4001 enough')
    assert.equal(facts['expected'], 'no: unexpected')
    assert.equal(facts['received frame'], '4001 enough')
    assert.equal(facts['agent'], 'one/1')
    await dashboard.page.keyboard.press('Escape')
    await dashboard.sheet.waitFor({ state: 'detached' })
  })
})

describe('the times of the charts', () => {
  it('are a table, too', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    await server.connect()
    await dashboard.says('#tile-opened span', /^1 in 5 min$/)
    await dashboard.page.getByText('As a table').click()
    const table = dashboard.page.getByRole('group', { name: 'The last five minutes as a table' })
    await table.getByRole('rowheader').first().waitFor()
    const cells = await table.locator('tbody tr').first().locator('td').allTextContents()
    assert.deepEqual(cells.slice(2, 4), ['0', '0'])
  })
})
