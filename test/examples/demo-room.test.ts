// The room of `npm start`, and what it tells its guests.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFriendlyName } from '../../examples/demo/names.js'
import { answered } from '../support/peers/heard.js'
import { openDemo, Visitor } from './demo.js'

describe('the room', () => {
  it('tells who is here, and how they stand', async (t) => {
    const { url } = await openDemo(t)
    const first = await Visitor.enter(url)
    const second = await Visitor.enter(url)
    const { rows } = second.welcome.board
    assert.deepEqual(
      rows.map(({ client }) => client),
      [first.welcome.you, second.welcome.you],
    )
    assert.deepEqual((await first.told('joined')).row.client, second.welcome.you)
    assert.notEqual(first.name, second.name)
    assert.ok(isFriendlyName(first.name) && isFriendlyName(second.name))
    assert.equal(first.welcome.you.kind, 'tab')
  })

  it('tells again and again how they stand', async (t) => {
    const { url } = await openDemo(t, { regulars: 1 })
    const visitor = await Visitor.enter(url)
    const [before] = visitor.welcome.board.rows
    assert.ok(before?.client.kind === 'helper')
    for (;;) {
      const [row] = (await visitor.told('pulse')).rows
      assert.deepEqual(row?.client, before.client)
      assert.ok(row !== undefined && row.openFor > before.openFor)
      if (row.pings === 0) continue // sent 3 s after the last byte
      assert.ok(row.latency !== undefined && row.latency < row.openFor)
      assert.ok(row.silentFor < row.openFor)
      return
    }
  })

  it('gives a returning guest the name of before, unless somebody has it', async (t) => {
    const { url } = await openDemo(t)
    const first = await Visitor.enter(url, 'Quiet Heron')
    assert.equal(first.name, 'Quiet Heron')
    const second = await Visitor.enter(url, 'Quiet Heron')
    assert.notEqual(second.name, 'Quiet Heron')
    void first.client.close(1001)
    await second.told('left')
    assert.equal((await Visitor.enter(url, 'Quiet Heron')).name, 'Quiet Heron')
  })

  it('takes no name that is not one of its own', async (t) => {
    const { url } = await openDemo(t)
    for (const name of ['', 'Admin', 'Quiet Admin', 'Quiet Heron X', '<b>', 'x'.repeat(2_000)]) {
      const visitor = await Visitor.enter(url, name)
      assert.ok(isFriendlyName(visitor.name), visitor.name)
      assert.notEqual(visitor.name, name)
    }
  })

  it('relays what is said, as it is, to everybody and to those who come later', async (t) => {
    const { url } = await openDemo(t)
    const first = await Visitor.enter(url)
    const second = await Visitor.enter(url)
    second.say('   ')
    second.say('  <b>hi</b> & "bye"  ')
    for (const visitor of [first, second]) {
      const { message } = await visitor.told('said')
      assert.deepEqual([message.from, message.text], [second.welcome.you, '<b>hi</b> & "bye"'])
    }
    const third = await Visitor.enter(url)
    assert.deepEqual(
      third.welcome.messages.map(({ text }) => text),
      ['<b>hi</b> & "bye"'],
    )
  })

  it('cuts long texts, and keeps the last fifty', async (t) => {
    const { url } = await openDemo(t)
    const visitor = await Visitor.enter(url)
    visitor.say('x'.repeat(600))
    assert.equal((await visitor.told('said')).message.text.length, 500)
    for (let i = 1; i <= 50; i++) visitor.say(String(i))
    await answered(visitor.client)
    const { messages } = (await Visitor.enter(url)).welcome
    assert.deepEqual([messages.length, messages[0]?.text, messages[49]?.text], [50, '1', '50'])
  })
})
