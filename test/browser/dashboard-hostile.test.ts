// Clients that send what would be code, or another text, on a page that is not careful.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDashboard } from './support/dashboard.js'

const SCRIPT = '<img src=x onerror="alert(1)"><script>alert(2)</script>'

/** It turns round what comes after it. */
const TURNED = 'cod.\u202Egnp'

describe('what a client has sent', () => {
  it('is shown as text, wherever it is shown', async (t) => {
    const { server, look } = await openDashboard(t, {
      fastify: { trustProxy: true },
      routes: (app) => {
        const room = app.websocketLifecycle.group(SCRIPT)
        app.get('/group', { websocket: true, onMessage: () => {} }, (socket) => room.add(socket))
      },
    })
    const dashboard = await look()
    const { page } = dashboard
    const images = await page.locator('img').count()
    const client = await server.connect('/group', {
      'user-agent': SCRIPT,
      'x-forwarded-for': SCRIPT,
    })
    await dashboard.row('onerror').waitFor()
    assert.equal((await dashboard.column('agent')).includes(SCRIPT), true)
    assert.equal((await dashboard.column('groups')).includes(SCRIPT), true)
    assert.equal((await dashboard.column('address')).includes(SCRIPT.slice(0, 64)), true)
    await dashboard.row('onerror').click()
    await dashboard.says('#sheet-facts', /subprotocol/)
    const facts = await dashboard.facts()
    assert.equal(facts['agent'], SCRIPT)
    assert.equal(facts['groups'], SCRIPT)
    void client.close(4000, SCRIPT)
    await dashboard.says('#sheet-facts', /received frame/)
    assert.equal((await dashboard.facts())['code'], `4000 ${SCRIPT}`)
    await page.keyboard.press('Escape')
    assert.deepEqual(await dashboard.column('reason', 'ends'), [SCRIPT])
    assert.equal(await page.locator('img').count(), images)
    assert.equal(await page.locator('body script').count(), 0)
  })

  it('shows what would turn a text round, or hide a part of it', async (t) => {
    const { server, look } = await openDashboard(t)
    const dashboard = await look()
    const client = await server.connect()
    void client.close(4000, `${TURNED}\n\u0000`)
    await dashboard.row('4000', 'ends').waitFor()
    assert.deepEqual(await dashboard.column('reason', 'ends'), ['cod.\\u{202e}gnp\\u{a}\\u{0}'])
  })
})
