// What waits in the room of `npm start`, where one side is too slow for the other.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Ending, Message, RoomEvent, Row } from '../../examples/demo/events.js'
import { openDemo, Visitor } from './demo.js'

interface Stay {
  /** How the helper stood, pulse by pulse. */
  readonly rows: readonly Row[]
  readonly said: readonly Message[]
  readonly ending: Ending
}

/** All that a visitor learns of a helper until it ends. */
async function stayOf(visitor: Visitor, act: string): Promise<Stay> {
  visitor.say(`/helper ${act}`)
  const rows: Row[] = []
  const said: Message[] = []
  for (;;) {
    const event = JSON.parse(await visitor.client.next()) as RoomEvent
    if (event.type === 'pulse') rows.push(...event.rows.filter(isHelper))
    if (event.type === 'said') said.push(event.message)
    if (event.type === 'left') return { rows, said, ending: event.ending }
  }
}

function isHelper({ client }: Row): boolean {
  return client.kind === 'helper'
}

describe('a guest that sends faster than the room handles', () => {
  it('has to wait while reading is paused, and loses nothing', async (t) => {
    const { url } = await openDemo(t)
    const { rows, ending } = await stayOf(await Visitor.enter(url), 'flood')
    assert.ok(rows.some(({ isPaused }) => isPaused))
    // It has said what the network has taken: kernels hold some megabytes, and not all of the 16.
    const most = Math.max(...rows.map(({ unhandled }) => unhandled ?? 0))
    assert.ok(most > 32 && most < 3_000, `${most} messages`)
    assert.deepEqual([ending.handled, ending.messages], [4_000, 4_000])
    assert.equal(ending.load, 'flood')
  })

  it('keeps nobody else from talking', async (t) => {
    const { url } = await openDemo(t)
    const visitor = await Visitor.enter(url)
    visitor.say('/helper flood')
    while (!(await visitor.told('pulse')).rows.some(({ isPaused }) => isPaused));
    visitor.say('hello')
    assert.equal((await visitor.told('said')).message.text, 'hello')
    assert.ok((await visitor.told('pulse')).rows.some(({ isPaused }) => isPaused))
  })
})

describe('a guest that does not read', () => {
  it('is out when the bound of its outbox is reached', async (t) => {
    const { url } = await openDemo(t)
    const { rows, ending } = await stayOf(await Visitor.enter(url), 'deaf')
    const unsent = rows.map((row) => row.unsent)
    assert.ok(new Set(unsent).size > 3, unsent.join())
    const most = Math.max(...unsent)
    assert.ok(most > 480_000 && most <= 512 * 1024, `${most} bytes`)
    assert.equal(ending.cause, 'slow-consumer')
  })
})

describe('a guest whose messages take long', () => {
  it('sees them handled in order, one at a time', async (t) => {
    const { url } = await openDemo(t)
    const { rows, said, ending } = await stayOf(await Visitor.enter(url), 'jobs')
    assert.deepEqual(
      said.map(({ text }) => text),
      [1, 2, 3, 4, 5].map((job) => `Job ${job} of 5`),
    )
    said.slice(1).forEach(({ at }, i) => assert.ok(at - (said[i]?.at ?? 0) > 490))
    const all = rows.map(({ unhandled }) => unhandled ?? 0)
    // The room may tell how all stand before the first of them has come.
    const waited = all.slice(all.findIndex((count) => count > 0))
    assert.ok((waited[0] ?? 0) > 1, all.join())
    assert.deepEqual(
      waited,
      waited.toSorted((a, b) => b - a),
    )
    assert.deepEqual([ending.handled, ending.messages, ending.load], [5, 5, 'jobs'])
  })

  it('may leave before: what it sent is handled all the same', async (t) => {
    const { url } = await openDemo(t)
    const [guest, visitor] = [await Visitor.enter(url), await Visitor.enter(url)]
    guest.say('/job one')
    guest.say('/job two')
    void guest.client.close(1000)
    assert.equal((await visitor.told('said')).message.text, 'one')
    assert.equal((await visitor.told('said')).message.text, 'two')
    const { ending } = await visitor.told('left')
    assert.deepEqual([ending.handled, ending.messages], [2, 2])
  })
})
