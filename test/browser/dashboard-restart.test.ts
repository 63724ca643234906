// The page of operators while its server restarts, and when they may not look any more.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answered } from '../support/peers/heard.js'
import { openDashboard } from './support/dashboard.js'

describe('a page under which the server restarts', () => {
  it('says that it is interrupted, and since when, and goes on', async (t) => {
    const { server, look } = await openDashboard(t)
    await server.connect('/chat', { 'user-agent': 'one/1' })
    const dashboard = await look()
    const lost = await server.connect()
    lost.drop()
    await dashboard.says('#causes-legend', /^connection-lost1$/)
    await dashboard.row('one/1').waitFor()
    await dashboard.says('#tile-open b', /^2$/)
    await server.stop()
    await dashboard.says('#status', /^Interrupted.*This is what was seen at \d\d:\d\d:\d\d\.$/)
    await dashboard.says('#countdown', /^(?:Next try in \d+ s|Trying)$/)
    // What was seen last is still there.
    assert.equal(await dashboard.row('one/1').count(), 1)
    await server.start()
    await server.connect('/chat', { 'user-agent': 'two/2' })
    await dashboard.isLive()
    await dashboard.row('two/2').waitFor()
    await dashboard.row('one/1').waitFor({ state: 'detached' })
    assert.equal(await dashboard.status(), 'Live')
    await dashboard.says('#tile-open b', /^2$/)
    // The past is not forgotten.
    await dashboard.says('#causes-legend', /^connection-lost1$/)
  })

  it('tries at once if it is told to', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    await server.stop()
    await dashboard.says('#status', /^Interrupted/)
    await server.start()
    await dashboard.page
      .getByRole('button', { name: 'Try now' })
      .click()
      .catch(() => {
        // It was faster itself.
      })
    await dashboard.isLive()
  })

  it('says of a connection that is looked at that it is gone', async (t) => {
    const { server, look } = await openDashboard(t)
    await server.connect('/chat', { 'user-agent': 'one/1' })
    const dashboard = await look()
    await dashboard.row('one/1').click()
    await dashboard.says('#sheet-facts', /subprotocol/)
    await server.stop()
    await server.start()
    await dashboard.says(
      '#sheet-note',
      /^It is over, and not among the ends that the server keeps\.$/,
    )
  })
})

describe('whoever may not look any more', () => {
  it('is told so by the page, which stops to ask', async (t) => {
    let may = true
    const { server, look } = await openDashboard(t, { authorize: () => may })
    const dashboard = await look()
    may = false
    await server.stop()
    await server.start()
    await dashboard.says('#status', /^You may not look any more\./)
    assert.equal(await dashboard.page.locator('body').getAttribute('data-line'), 'unauthorised')
  })

  it('is told so when they close a connection', async (t) => {
    let may = true
    const { server, look } = await openDashboard(t, { authorize: () => may })
    const dashboard = await look()
    const client = await server.connect('/chat', { 'user-agent': 'one/1' })
    await dashboard.row('one/1').click()
    may = false
    await dashboard.page.getByRole('button', { name: 'Close…' }).click()
    await dashboard.page.getByRole('button', { name: 'Yes, close it' }).click()
    await dashboard.says('#close-status', /^It was not closed: you may not do that$/)
    await dashboard.says('#status', /^You may not look any more\./)
    await answered(client)
  })
})
