// How the room of `npm start` tells of each way to end, and what `@fastify/websocket` alone sees.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Act } from '../../examples/demo/acts.js'
import type { Ending } from '../../examples/demo/events.js'
import { ENDINGS, openDemo, Visitor } from './demo.js'

const UNEXPECTED = [
  'signal aborts',
  'onUnexpectedClose',
  'onClose',
  'release: name',
  'release: member',
]
const EXPECTED = UNEXPECTED.filter((step) => step !== 'onUnexpectedClose')

describe('a helper', () => {
  for (const [act, told] of Object.entries(ENDINGS)) {
    it(`that is asked for "${act}" is told of, now and later`, async (t) => {
      const { url } = await openDemo(t)
      const visitor = await Visitor.enter(url)
      visitor.say(`/helper ${act} 4000`)
      const { client } = (await visitor.told('joined')).row
      assert.deepEqual([client.kind, client.act], ['helper', act])
      const { ending } = await visitor.told('left')
      const { cause, code, sent, initiator, clean, expected, retryable, plain } = ending
      assert.deepEqual(
        { cause, code, sent, initiator, clean, expected, retryable, sees: plain.sees },
        told,
      )
      assert.deepEqual(ending.client, client)
      assert.deepEqual(ending.steps, expected ? EXPECTED : UNEXPECTED)
      checkNotice(act as Act, ending)

      const { board } = (await Visitor.enter(url)).welcome
      assert.deepEqual(board.endings, [ending])
      assert.ok(!board.rows.some((row) => row.client.id === client.id))
    })
  }

  it('closes with the code that it is given, if an app may send that', async (t) => {
    const { url } = await openDemo(t)
    const visitor = await Visitor.enter(url)
    for (const [asked, code] of [
      ['3008', 3008],
      ['1006', 4000],
      ['x', 4000],
      ['', 4000],
    ] as const) {
      visitor.say(`/helper code ${asked}`)
      assert.equal((await visitor.told('left')).ending.code, code)
    }
  })

  it('does nothing that it was not taught', async (t) => {
    const { url } = await openDemo(t)
    const visitor = await Visitor.enter(url)
    for (const act of ['', 'constructor', '__proto__', 'dance']) visitor.say(`/helper ${act}`)
    visitor.say('/helper close')
    await visitor.told('left')
    assert.equal((await Visitor.enter(url)).welcome.board.endings.length, 1)
  })

  it('does not come where twelve are in already', async (t) => {
    const { url } = await openDemo(t, { regulars: 10 })
    const visitor = await Visitor.enter(url)
    for (let i = 0; i < 20; i++) visitor.say('/helper freeze')
    for (let i = 2; i < 20; i++) assert.match((await visitor.told('note')).text, /full/)
    const { rows } = (await Visitor.enter(url)).welcome.board
    assert.ok(rows.filter(({ client }) => client.kind === 'helper').length <= 12)
  })
})

function checkNotice(act: Act, { initiator, noticedAfter, duration }: Ending): void {
  if (initiator === 'server') assert.equal(noticedAfter, undefined)
  else if (act !== 'freeze') assert.equal(noticedAfter, 0)
  else {
    // A ping at a random moment, and 3 s more; no longer than it was here. Clocks are exact to 1 ms.
    assert.ok(noticedAfter !== undefined && noticedAfter > 2_999, `${noticedAfter}`)
    assert.ok(noticedAfter <= duration + 2)
  }
}
