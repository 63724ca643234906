// What the page of the demo says before anything has ended, and who is told of what was before they came.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toldBy } from './support/demo-page.js'
import { openRoom } from './support/room.js'

const TIMES = ['noticed', 'open for']

function withoutTimes(facts: Readonly<Record<string, string>>): string[][] {
  return Object.entries(facts).filter(([name]) => !TIMES.includes(name))
}

describe('whoever arrives', () => {
  it('sees an example of an ending, said to be one, and how to start', async (t) => {
    const { enter } = await openRoom(t)
    const { page } = await enter()
    assert.match(await page.locator('#sample').innerText(), /^Example/)
    const example = page.getByRole('list', { name: 'Example: this is how it will be told' })
    assert.equal(await example.locator('.verdict').innerText(), 'heartbeat-timeout')
    assert.equal(await page.locator('#endings > li').count(), 0)
    assert.match(await page.locator('#hint').innerText(), /Freeze/)
    await page.getByText('npm install fastify-websocket-lifecycle').waitFor()
  })

  it('starts with Freeze, and is told what the example told', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const example = await toldBy(room.page.locator('#example > li'))
    await room.page.getByRole('button', { name: 'Start with Freeze' }).click()
    const told = await toldBy(room.ending('heartbeat-timeout'))
    await room.page.locator('#none').waitFor({ state: 'hidden' })
    for (const { facts } of [example, told]) {
      for (const name of TIMES) assert.match(facts[name] ?? '', /\d\.\d s$/)
    }
    assert.deepEqual(withoutTimes(example.facts), withoutTimes(told.facts))
    const { steps, sees, toldTo, lines, code } = told
    assert.deepEqual(
      [example.steps, example.sees, example.toldTo, example.lines, example.code],
      [steps, sees, toldTo, lines, code],
    )
  })

  it('is told beside no button of what ended before', async (t) => {
    const { enter } = await openRoom(t)
    const first = await enter()
    await first.button('reset').click()
    await first.ending('connection-reset').waitFor()
    assert.match(await first.beside('reset').innerText(), /connection-reset/)
    const second = await enter()
    await second.ending('connection-reset').waitFor()
    assert.equal((await second.page.locator('.doing').allInnerTexts()).join(''), '')
  })
})
