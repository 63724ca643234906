// What the page of operators is to those who see it otherwise, or on something small; and what it weighs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { CLOSE_CAUSES } from '../../lib/core/close/policy.js'
import { violationsOn } from './support/axe.js'
import { openDashboard } from './support/dashboard.js'

/** All that the page loads, packed. */
const MOST_BYTES = 60_000

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [320, 1280]) {
    describe(`the page of operators at ${width} pixels, ${colorScheme}`, () => {
      const options = { colorScheme, reducedMotion: 'reduce', viewport: { width, height: 800 } }

      it('is clean for axe, and nothing sticks out', async (t) => {
        const { server, look } = await openDashboard(t, { plugin: { maxConnections: 3 } })
        const dashboard = await look(options as Parameters<typeof look>[0])
        const { page } = dashboard
        assert.deepEqual(await violationsOn(page), [])
        const clients = [await server.connect(), await server.connect()]
        clients[0]?.drop()
        await dashboard.row('connection-lost', 'ends').waitFor()
        await server.connect()
        await assert.rejects(server.connect())
        await dashboard.says('#refusals-rows', /limit/)
        await page.getByText('As a table').click()
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
        assert.equal(await page.evaluate(() => document.getAnimations().length), 0)
        assert.deepEqual(await violationsOn(page), [])

        await dashboard.row('/chat').first().click()
        await dashboard.says('#sheet-facts', /subprotocol/)
        await page.getByRole('button', { name: 'Close…' }).click()
        assert.deepEqual(await violationsOn(page), [])
        await page.keyboard.press('Escape')

        await server.stop()
        await dashboard.says('#status', /^Interrupted/)
        assert.deepEqual(await violationsOn(page), [])
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width)
        await server.start()
        await dashboard.isLive()
      })
    })
  }

  describe(`each cause, ${colorScheme}`, () => {
    it('has a colour of its own, which stands out from what is behind it', async (t) => {
      const { look } = await openDashboard(t)
      const { page } = await look({ colorScheme })
      const colours = await page.evaluate(
        (names) => {
          const style = getComputedStyle(document.documentElement)
          return names.map((name) => style.getPropertyValue(`--${name}`))
        },
        ['card', ...CLOSE_CAUSES.map((cause) => `cause-${cause}`)],
      )
      const [card = '', ...ofCauses] = colours
      assert.equal(new Set(ofCauses).size, CLOSE_CAUSES.length)
      const weak = ofCauses.filter((colour) => contrast(colour, card) < 3)
      assert.deepEqual(weak, [])
    })
  })
}

describe('a screen reader', () => {
  it('finds the parts of the page of operators by name', async (t) => {
    const { server, look } = await openDashboard(t)
    await server.connect()
    const { page } = await look()
    const parts: Array<[Parameters<Page['getByRole']>[0], string]> = [
      ['heading', 'WebSockets'],
      ['link', 'Skip to the connections'],
      ['region', 'Reports'],
      ['region', 'Now'],
      ['region', 'The last five minutes'],
      ['region', 'By route since the start'],
      ['region', 'Refused in five minutes'],
      ['region', 'Connections'],
      ['region', 'Ends'],
      ['grid', 'Connections'],
      ['grid', 'Ends'],
      ['columnheader', 'Latency'],
      ['searchbox', 'Search connections'],
      ['combobox', 'Cause'],
    ]
    for (const [role, name] of parts) {
      assert.ok(
        (await page.getByRole(role, { name, exact: true }).count()) >= 1,
        `Expected ${role} ${name}`,
      )
    }
    assert.equal(await page.getByRole('img', { name: /over the last five minutes/ }).count(), 5)
  })
})

describe('all that the page of operators loads', () => {
  it('has at most 60 kB, packed', async (t) => {
    const { look } = await openDashboard(t)
    const { page } = await look()
    const sizes = await page.evaluate(() =>
      [
        ...(performance.getEntriesByType('navigation') as PerformanceResourceTiming[]),
        ...(performance.getEntriesByType('resource') as PerformanceResourceTiming[]),
      ].map(({ name, encodedBodySize }): [string, number] => [name, encodedBodySize]),
    )
    const files = new Map(sizes)
    assert.ok(files.size >= 5, [...files.keys()].join())
    const all = [...files.values()].reduce((sum, size) => sum + size, 0)
    t.diagnostic(`${all} bytes`)
    assert.ok(all > 30_000 && all <= MOST_BYTES, `${all} bytes`)
  })
})

/** WCAG 2.2, "contrast ratio". */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.trim().slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
