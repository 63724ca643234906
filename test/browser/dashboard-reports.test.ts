// What the page of operators says of what stands out.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Peer } from '../../lib/testing/index.js'
import { openDashboard } from './support/dashboard.js'

/** So many unexpected ends are a storm. */
const MANY = 100

/** A storm is over when there was none for a while, in ms. */
const CALM = 45_000

describe('a report of the diagnosis', () => {
  it('is on top, in words, and folded up when it is over', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const { page } = dashboard
    assert.equal(await page.locator('#reports-none').innerText(), 'Nothing stands out.')
    const clients: Peer[] = []
    for (let i = 0; i < MANY; i++) clients.push(await server.connect())
    for (const client of clients) client.drop()
    const report = page.locator('#reports-now li[data-kind=storm]')
    await report.waitFor()
    assert.match(await report.innerText(), /^Storm\s+\d\d:\d\d:\d\d\s+Many connections end/)
    assert.match(await report.locator('p').innerText(), /^Look for a proxy/)
    assert.equal(await page.locator('#reports-none').isVisible(), false)
    assert.match(await page.locator('#announced').innerText(), /^Many connections end/)

    // This machine may have stood still meanwhile: that is a report too.
    const over = page.locator('#reports-over li[data-kind=storm]')
    await over.waitFor({ state: 'attached', timeout: CALM })
    assert.equal(await report.count(), 0)
    const earlier = /^\d+ earlier reports?$/
    await page.getByText(earlier).click()
    await page.locator('#reports-over').getByText('Many connections have ended').waitFor()
    // Whoever comes later sees it, too.
    const later = await look()
    await later.page.getByText(earlier).waitFor()
  })
})
