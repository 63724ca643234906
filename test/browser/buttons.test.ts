// Each button of the demo, and the row that it leads to.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Act } from '../../examples/demo/acts.js'
import { ENDINGS, type Expected } from '../examples/demo.js'
import { type Told, toldBy } from './support/demo-page.js'
import { openRoom } from './support/room.js'

const BY_HELPERS_ONLY = ['cut', 'reset', 'freeze', 'garbage', 'flood', 'deaf', 'jobs', 'throw']

function check(told: Told, expected: Expected): void {
  const { code, sent, initiator, clean, retryable } = expected
  const { facts } = told
  assert.match(facts['code'] ?? '', new RegExp(`^${code}`))
  assert.equal(facts['code']?.includes(`sent ${sent}`), sent !== undefined && sent !== code)
  assert.equal(facts['initiator'], initiator)
  assert.deepEqual(
    [facts['clean'], facts['expected'], facts['retryable']],
    [clean, expected.expected, retryable].map((is) => (is ? 'yes' : 'no')),
  )
  assert.match(facts['open for'] ?? '', /^\d.* (ms|s)$/)
  assert.equal(told.sees, expected.sees)
  assert.ok(told.isOpen)
  assert.deepEqual(told.steps, [
    'signal aborts',
    ...(expected.expected ? [] : ['onUnexpectedClose']),
    'onClose',
    'release: name',
    'release: member',
    'closed',
  ])
  assert.equal(
    told.toldTo,
    expected.expected
      ? `${expected.cause}, told once, to onClose.`
      : `${expected.cause}, told to onUnexpectedClose, then to onClose, once each.`,
  )
  // A sign besides the colour.
  assert.equal(told.head.includes('unexpected'), !expected.expected)
  assert.equal(told.code.includes('onUnexpectedClose('), !expected.expected)
  assert.equal(told.meanings.filter((meaning) => meaning !== '').length, Object.keys(facts).length)
  assert.equal(told.lines[0], `${told.lines[1]} lines of the route`)
  assert.ok(told.lines[1] >= 5)
}

const NOTICED: Partial<Record<Expected['initiator'], RegExp>> = {
  client: /^at once$/,
  server: /^own doing$/,
}

describe('the button for a guest', () => {
  for (const [act, expected] of Object.entries(ENDINGS)) {
    it(`"${act}" leads to ${expected.cause}`, async (t) => {
      const { enter } = await openRoom(t)
      const room = await enter()
      await room.button(act).click()
      const told = await toldBy(room.ending(expected.cause))
      check(told, expected)
      const noticed = act === 'freeze' ? /^after \d+\.\d s$/ : /^at once$/
      assert.match(told.facts['noticed'] ?? '', NOTICED[expected.initiator] ?? noticed)
      assert.equal(await room.rows().count(), 1)
    })
  }

  it('"freeze" shows a row that falls silent, and then tells of it', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    await room.button('freeze').click()
    const suspect = room.page.locator('#rows li.suspect', { hasText: 'Freeze' })
    await suspect.waitFor()
    const id = (await suspect.getAttribute('data-id')) ?? ''
    assert.match(await suspect.locator('.byte').innerText(), /^(?:[4-9]|\d\d+)\.\d s ago$/)
    await room.page.locator(`#endings [data-id="${id}"][data-cause=heartbeat-timeout]`).waitFor()
    assert.equal(await room.page.locator(`#rows [data-id="${id}"]`).count(), 0)
  })

  it('"code" closes with the code beside it, and takes none that may not be sent', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    const field = room.page.locator('#code')
    await field.fill('1006')
    await room.button('code').click()
    assert.match(await field.evaluate((input) => Reflect.get(input, 'validationMessage')), /3000/)
    assert.equal(await room.page.locator('#endings > li').count(), 0)
    await field.fill('4321')
    await room.button('code').click()
    assert.match((await toldBy(room.ending('client-close'))).facts['code'] ?? '', /^4321$/)
  })
})

describe('the button for this tab', () => {
  const acts = Object.keys(ENDINGS) as Act[]
  for (const act of acts.filter((name) => !BY_HELPERS_ONLY.includes(name))) {
    const expected: Expected = ENDINGS[act]
    it(`"${act}" leads to ${expected.cause}, and the page ${
      expected.retryable ? 'comes back' : 'stays away until it is asked'
    }`, async (t) => {
      const { enter } = await openRoom(t)
      const room = await enter()
      const name = (await room.status()).replace('You are ', '')
      await room.choose('tab')
      await room.button(act).click()
      const ending = room.ending(expected.cause)
      // A browser answers a close frame also where it was told that it sent too much.
      const told = await toldBy(ending)
      check(told, expected)
      assert.match(await ending.locator('summary b').first().innerText(), /\(you\)$/)
      if (!expected.retryable) {
        await room.page.locator('[data-state=away]').waitFor()
        assert.match(await room.status(), /^Out: code \d{4}.*\. Not retryable$/)
        await room.page.getByRole('button', { name: 'Come back' }).click()
      }
      await room.isIn()
      assert.equal(await room.status(), `You are ${name}`)
    })
  }

  it('is dimmed, and does nothing, where no browser can do that', async (t) => {
    const { enter } = await openRoom(t)
    const room = await enter()
    await room.choose('tab')
    for (const act of BY_HELPERS_ONLY) {
      assert.equal(await room.button(act).getAttribute('aria-disabled'), 'true')
      await room.button(act).dispatchEvent('click')
    }
    await room.button('close').click()
    await room.ending('client-close').waitFor()
    assert.equal(await room.page.locator('#endings > li').count(), 1)
  })
})

describe('the button that drains the server', () => {
  it('ends everybody; the server says how it went, and the page comes back', async (t) => {
    const { enter } = await openRoom(t, { regulars: 2 })
    const room = await enter()
    const name = await room.status()
    // It may come back at once: it chooses a moment at random.
    const said = await room.allOf('#own p')
    await room.button('drain').click()
    await room.page.locator('#drained').waitFor()
    await room.isIn()
    const lost = await said.jsonValue()
    assert.ok(
      lost.some((text) => /^Lost: code 1012, service restart\. Try 1 in [0123]\.\d s$/.test(text)),
      lost.join(),
    )
    assert.equal(await room.status(), name)
    const summary =
      /^\d\d:\d\d:\d\d.*: the server was drained in \d+ ms\. 3 closed, 0 terminated, 0 cleanups abandoned/
    assert.match(await room.page.locator('#drained').innerText(), summary)
    assert.equal(await room.page.locator('#endings > li[data-cause=shutdown]').count(), 3)
    const told = await toldBy(room.ending('shutdown'))
    assert.equal(told.sees, '1005')
    assert.equal(told.toldTo, 'shutdown, told to onShutdown, then to onClose, once each.')
    const beside = room.beside('drain')
    assert.match(await beside.innerText(), /^drained in \d+ ms$/)
    assert.equal(await room.rows().count(), 3)
  })
})
