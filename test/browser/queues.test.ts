// The rows of the demo where one side is too slow for the other: what waits is shown while it waits.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toldBy } from './support/demo-page.js'
import { openRoom } from './support/room.js'

describe('the button for a guest', () => {
  it('"flood" shows a row that is not read on from, and what waits there', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    await room.button('flood').click()
    const row = room.rows().filter({ has: room.page.locator('.paused:visible') })
    await row.locator('.unhandled', { hasText: /^\d{3,4}$/ }).waitFor()
    assert.match(await row.locator('.why').innerText(), /32 messages,.* \(64 KiB\)/)
    const told = await toldBy(room.ending('client-close'))
    assert.equal(told.facts['handled'], '4000 of 4000')
  })

  it('"deaf" shows a row for which ever more waits', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    await room.button('deaf').click()
    for (const size of [/^\d+ KiB$/, /^[45]\d\d KiB$/]) {
      await room.rows().locator('.unsent', { hasText: size }).waitFor()
    }
  })

  it('"jobs" shows a row with ever fewer jobs, and their order in the chat', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const shown = await room.allOf('#rows li:last-child .unhandled')
    await room.button('jobs').click()
    const told = await toldBy(room.ending('client-close'))
    assert.equal(told.facts['handled'], '5 of 5')
    const left = (await shown.jsonValue()).map(Number).filter((count) => count > 0)
    assert.ok(left.length >= 3, left.join())
    assert.deepEqual(
      left,
      left.toSorted((a, b) => b - a),
    )
    assert.deepEqual(
      await room.page.locator('.said p').allInnerTexts(),
      [1, 2, 3, 4, 5].map((job) => `Job ${job} of 5`),
    )
  })
})
