// What operators see of one connection, and how they close it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answered, untilEnd } from '../support/peers/heard.js'
import { logLines } from '../support/servers/log-lines.js'
import { openDashboard } from './support/dashboard.js'

describe('the view of one connection', () => {
  it('says all that is known of it, until it ends, and then its record', async (t) => {
    const { server, look } = await openDashboard(t, {
      routes: (app) => {
        const room = app.websocketLifecycle.group('staff')
        app.get('/staff', { websocket: true, history: true, onMessage: () => {} }, (socket) => {
          room.add(socket)
        })
      },
    })
    const dashboard = await look()
    const client = await server.connect('/staff', {
      'user-agent': 'one/1',
      origin: server.origin,
    })
    await dashboard.row('one/1').click()
    await dashboard.says('#sheet-facts', /subprotocol/)
    const facts = await dashboard.facts()
    assert.equal(facts['state'], 'open')
    assert.equal(facts['route'], '/staff')
    assert.equal(facts['agent'], 'one/1')
    assert.equal(facts['origin'], server.origin)
    assert.equal(facts['groups'], 'staff')
    assert.equal(facts['session'], 'none')
    await dashboard.says('#sheet-history', /open/)
    void client.close(1000, 'bye')
    await dashboard.says('#sheet-facts', /client-close/)
    assert.equal((await dashboard.facts())['code'], '1000 bye')
    assert.equal(await dashboard.page.locator('#close').isVisible(), false)
  })
})

describe('an operator', () => {
  it('closes a connection with a code and a reason, is asked once, and is logged', async (t) => {
    const { lines, fastify } = logLines()
    const { server, look } = await openDashboard(t, { fastify, authorize: () => 'ada' })
    const dashboard = await look()
    const client = await server.connect('/chat', { 'user-agent': 'one/1' })
    await dashboard.row('one/1').click()
    const { page } = dashboard
    const code = page.getByRole('spinbutton', { name: 'Code' })
    assert.equal(await code.inputValue(), '1000')
    await code.fill('4001')
    await page.getByRole('textbox', { name: 'Reason' }).fill('moved “away”')
    await page.getByRole('button', { name: 'Close…' }).click()
    await dashboard.says('#close-status', /^Close it with 4001 and “moved “away””\?$/)
    await page.getByRole('button', { name: 'No, leave it open' }).click()
    await answered(client)
    await page.getByRole('button', { name: 'Close…' }).click()
    await page.getByRole('button', { name: 'Yes, close it' }).click()
    assert.deepEqual(await untilEnd(client), ['close 4001 moved “away”'])
    await dashboard.says('#sheet-facts', /server-close/)
    const line = lines.find(({ msg }) => /operator has closed/.test(String(msg)))
    assert.equal(line?.['by'], 'ada')
    assert.equal(line?.['code'], 4001)
  })

  it('is told why a connection is not closed', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const client = await server.connect('/chat', { 'user-agent': 'one/1' })
    await dashboard.row('one/1').click()
    const { page } = dashboard
    await page.getByRole('spinbutton', { name: 'Code' }).fill('1005')
    await page.getByRole('button', { name: 'Close…' }).click()
    await page.getByRole('button', { name: 'Yes, close it' }).click()
    await dashboard.says('#close-status', /^It was not closed: no close frame may have this code$/)
    await answered(client)
  })

  it('is not asked about a reason that does not fit', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    await server.connect('/chat', { 'user-agent': 'one/1' })
    await dashboard.row('one/1').click()
    const { page } = dashboard
    const reason = page.getByRole('textbox', { name: 'Reason' })
    await reason.fill('ä'.repeat(62))
    await page.getByRole('button', { name: 'Close…' }).click()
    assert.equal(
      await reason.evaluate((input: HTMLInputElement) => input.validationMessage),
      'At most 123 bytes fit: these are 124.',
    )
    assert.equal(await page.locator('#close-status').innerText(), '')
  })
})
