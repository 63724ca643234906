// The lines of the demo's visitors: they fail, and the room keeps what is said meanwhile. In a browser: test/browser/line.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomEvent, Row } from '../../examples/demo/events.js'
import { CuttableClient } from '../support/peers/cuttable-client.js'
import { openDemo, type EventOf, Visitor } from './demo.js'

/** The next thing of that type that a visitor is told; others are kept in `all`. */
async function told<Type extends RoomEvent['type']>(
  visitor: CuttableClient,
  type: Type,
  all: string[] = [],
): Promise<EventOf<Type>> {
  for (;;) {
    const next = await visitor.next()
    if (!next.startsWith('message ')) all.push(next)
    else {
      const event = JSON.parse(next.slice('message '.length)) as RoomEvent
      if (event.type === 'said') all.push(event.message.text)
      if (event.type === type) return event as EventOf<Type>
    }
  }
}

async function suspended(watcher: Visitor, name: string): Promise<Row> {
  for (;;) {
    const { rows } = await watcher.told('pulse')
    const row = rows.find(({ client }) => client.name === name)
    if (row?.gap !== undefined) return row
  }
}

describe('the line of a visitor', () => {
  for (const [how, cause] of [
    ['cut', 'connection-reset'],
    ['silence', 'heartbeat-timeout'],
  ] as const) {
    it(`that fails (${how}) suspends their session, and what is said meanwhile comes once`, async (t) => {
      const { url } = await openDemo(t, { regulars: 1 })
      const watcher = await Visitor.enter(url)
      const ws = url.replace('http', 'ws')
      // The two who are in have names by chance, and a name is given once.
      const isTaken = (one: string): boolean => JSON.stringify(watcher.welcome).includes(one)
      const name = ['Quiet Heron', 'Calm Fox', 'Jolly Seal'].find((one) => !isTaken(one))
      const visitor = new CuttableClient(`${ws}/line?name=${encodeURIComponent(String(name))}`)
      t.after(() => visitor.client.close())
      const { you } = await told(visitor, 'welcome')
      assert.equal(you.name, name)
      visitor.client.send(`/line ${how}`)
      const { gap } = await suspended(watcher, you.name)
      assert.deepEqual([gap?.cause, gap?.replayed], [cause, undefined])
      visitor.client.send('said without a line')

      const all: string[] = []
      const { row } = await told(visitor, 'resumed', all)
      assert.deepEqual([row.client, row.gap?.cause, row.gap?.replayed], [you, cause, 4])
      assert.deepEqual(
        all.map((text) => text.split(':')[0]),
        ['lost 1006', 'open resumed', 'One', 'Two', 'Three', 'Four'],
      )
      assert.equal((await told(visitor, 'said')).message.text, 'said without a line')
    })
  }

  it('keeps nobody from closing the server while it is silent', async (t) => {
    const demo = await openDemo(t)
    const visitor = new CuttableClient(`${demo.url.replace('http', 'ws')}/line`)
    t.after(() => visitor.client.close())
    const watcher = await Visitor.enter(demo.url)
    await told(visitor, 'welcome')
    visitor.client.send('/line silence')
    visitor.client.send('the last that comes')
    assert.equal((await watcher.told('said')).message.text, 'the last that comes')
    const report = await demo.close()
    assert.deepEqual([report?.closed, report?.terminated], [1, 1])
  })

  it('is no line where there is none', async (t) => {
    const { url } = await openDemo(t)
    const visitor = await Visitor.enter(url)
    for (const text of ['/line cut', '/line', '/line toString', 'still here']) visitor.say(text)
    assert.equal((await visitor.told('said')).message.text, 'still here')
  })
})
