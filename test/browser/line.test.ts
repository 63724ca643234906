// The two buttons that let the line of this tab fail: the page loses nothing by it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openRoom } from './support/room.js'

const SAID = [
  'One: somebody has lost their network.',
  'Two: they do not hear us.',
  'Three: the server keeps this for them.',
  'Four: all of it, in order.',
]

for (const [act, cause, story] of [
  [
    'line-cut',
    'connection-reset',
    /^The server lost your connection \(connection-reset\), kept your/,
  ],
  [
    'line-silence',
    'heartbeat-timeout',
    /^The server lost your connection (?:[4-9]|\d\d+)\.\d s after it fell silent \(heartbeat-timeout\), kept your/,
  ],
] as const) {
  describe(`the button "${act}"`, () => {
    it(`suspends the session (${cause}), and nothing is lost`, async (t) => {
      const { enter } = await openRoom(t, { regulars: 2 })
      const room = await enter()
      const other = await enter()
      const { page } = room
      const name = (await room.status()).replace('You are ', '')
      const beside = await room.allOf('[role=group]:has([data-act=line-cut]) .doing')
      const ownRow = room.rows().filter({ hasText: name })
      const seenByOther = other.rows().filter({ hasText: name }).locator('.gap')

      await room.button(act).click()
      assert.equal(await room.button('kick').getAttribute('aria-disabled'), 'true')
      await ownRow.locator('.gap', { hasText: /^suspended \d\.\d s$/ }).waitFor()
      await seenByOther.getByText(/^suspended \d\.\d s$/).waitFor()
      await page.locator('#text').fill('I say this without a line')
      await page.keyboard.press('Enter')

      for (const gap of [ownRow.locator('.gap'), seenByOther]) {
        await gap.getByText('resumed, 4 messages replayed', { exact: true }).waitFor()
      }
      assert.equal(await room.status(), `You are ${name}`)
      const told = await page.locator('#resumed').innerText()
      assert.match(told, story)
      assert.match(
        told,
        /session for \d\.\d s, and sent you the 4 messages that you had missed: none was lost, none came twice\.$/,
      )
      for (const { page: each } of [room, other]) {
        await each.locator('.said p', { hasText: 'I say this without a line' }).waitFor()
        assert.deepEqual(
          (await each.locator('.said p').allInnerTexts()).toSorted(),
          [...SAID, 'I say this without a line'].toSorted(),
        )
      }
      const order = (await page.locator('.said p').allInnerTexts()).filter((text) =>
        SAID.includes(text),
      )
      assert.deepEqual(order, SAID)
      const states = await beside.jsonValue()
      assert.ok(
        states.some((text) => /^suspended \d\.\d s$/.test(text)),
        states.join(),
      )
      assert.equal(states.at(-1), 'resumed, 4 messages replayed')
      assert.equal(await page.locator('#endings > li').count(), 0)
      assert.equal(await room.button('kick').getAttribute('aria-disabled'), 'false')
    })
  })
}

describe('a tab whose line was cut', () => {
  it('can end as any other, and begins anew then', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    await room.button('line-cut').click()
    await room.rows().locator('.gap', { hasText: 'resumed, 0 messages replayed' }).waitFor()
    await room.choose('tab')
    await room.button('terminate').click()
    await room.ending('server-terminate').waitFor()
    await room.isIn()
    assert.equal(await room.rows().locator('.gap:visible').count(), 0)
  })
})
