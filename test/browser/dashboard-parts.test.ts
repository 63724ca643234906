// Parts of the page of operators that need no browser: what they keep, and their words.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Entries } from '../../lib/dashboard/page/entries.js'
import { Order } from '../../lib/dashboard/page/order.js'
import { Past, REACH } from '../../lib/dashboard/page/past.js'
import { age, bytesOf, lasting, millis, plain } from '../../lib/dashboard/page/words.js'
import type { Hello, Row, Second, Update } from '../../lib/dashboard/protocol.js'

const HELLO: Hello = {
  type: 'hello',
  startedAt: 0,
  at: 0,
  node: null,
  mostRows: 10_000,
  mostEnds: 500,
  seconds: [],
  ends: [],
  reports: [],
}

function secondAt(at: number, parts: Partial<Second> = {}): Second {
  const nothing = { open: 0, opened: 0, ended: {}, refused: {}, latency: null }
  return { at, ...nothing, inbox: 0, outbox: 0, stalled: 0, ...parts }
}

function update(parts: Partial<Update>): Update {
  return { type: 'update', at: 0, ...parts }
}

describe('the past', () => {
  it('reaches back for five minutes', () => {
    const past = new Past()
    for (let at = 1_000; at <= REACH + 5_000; at += 1_000)
      past.take(update({ second: secondAt(at) }))
    assert.equal(past.seconds.length, 300)
    assert.equal(past.seconds[0]?.at, 6_000)
  })

  it('has a gap where nothing was heard, and keeps what was before it', () => {
    const past = new Past()
    past.reset({ ...HELLO, seconds: [secondAt(1_000), secondAt(2_000)] })
    past.reset({ ...HELLO, startedAt: 1, seconds: [] })
    past.take(update({ second: secondAt(10_000) }))
    const points = past.points().map(([at, second]) => [at, second?.at])
    assert.deepEqual(points, [
      [1_000, 1_000],
      [2_000, 2_000],
      [6_000, undefined],
      [10_000, 10_000],
    ])
  })

  it('takes what the server knows for better than what it has heard itself', () => {
    const past = new Past()
    past.reset({ ...HELLO, seconds: [secondAt(1_000), secondAt(2_000, { open: 1 })] })
    past.reset({ ...HELLO, seconds: [secondAt(2_000, { open: 2 }), secondAt(3_000)] })
    assert.deepEqual(
      past.seconds.map(({ at, open }) => [at, open]),
      [
        [1_000, 0],
        [2_000, 2],
        [3_000, 0],
      ],
    )
  })

  it('goes on without the server', () => {
    const past = new Past()
    past.take(update({ second: secondAt(10_000) }))
    assert.equal(past.until(10_900), 10_000)
    assert.equal(past.until(20_700), 19_000)
  })

  it('adds up by cause', () => {
    const past = new Past()
    past.take(update({ second: secondAt(1_000, { ended: { shutdown: 1 } }) }))
    past.take(update({ second: secondAt(2_000, { ended: { shutdown: 2, replaced: 1 } }) }))
    assert.deepEqual(Object.fromEntries(past.counts(({ ended }) => ended)), {
      shutdown: 3,
      replaced: 1,
    })
  })
})

function row(id: string, latency: number | null, groups = ''): Row {
  return [id, '/chat', '', `Agent of ${id}`, 0, ['open', null, latency, 0, 0, 0, groups]]
}

describe('the rows of the table', () => {
  it('are those that are there, and it is known how many are not', () => {
    const entries = new Entries()
    entries.take(update({ rows: [row('a', 1), row('b', 2)], coming: 7, hidden: 3 }))
    entries.take(update({ rows: [row('a', 9)], gone: ['b', 'unknown'] }))
    assert.deepEqual([entries.size, entries.coming, entries.hidden], [1, 7, 3])
    assert.equal(entries.find('a')?.latency, 9)
    entries.reset(HELLO)
    assert.deepEqual([entries.size, entries.coming, entries.hidden], [0, 0, 0])
  })

  it('are sorted, with what is not known at the end, and found by each of their words', () => {
    const entries = new Entries()
    entries.take(update({ rows: [row('a', 2), row('b', null), row('c', 3), row('d', 2, 'Room')] }))
    const order = new Order(entries)
    const ids = (now: number): string => {
      order.refresh(now)
      return order.rows.map(({ id }) => id).join('')
    }
    order.sortBy('latency', true)
    assert.equal(ids(0), 'cadb')
    order.sortBy('latency', true)
    assert.equal(ids(0), 'adcb')
    order.search('room agent')
    assert.equal(ids(0), 'd')
    entries.take(update({ changed: [['a', ['open', null, 2, 0, 0, 0, 'rooms']]] }))
    // Not more often than twice a second.
    assert.equal(ids(400), 'd')
    assert.equal(ids(500), 'ad')
  })
})

describe('the words', () => {
  it('say times and sizes shortly', () => {
    assert.deepEqual([0, 940, 3_400, 59_999, 65_000, 3_600_000, 90_000_000].map(lasting), [
      '0 ms',
      '940 ms',
      '3.4 s',
      '59 s',
      '1 min 5 s',
      '1 h',
      '1 d 1 h',
    ])
    assert.deepEqual([-5, 900, 61_000].map(age), ['0 s', '0 s', '1 min 1 s'])
    assert.deepEqual([0, 1_023, 1_536, 1_048_576, 1_099_511_627_776].map(bytesOf), [
      '0 B',
      '1023 B',
      '1.5 KiB',
      '1 MiB',
      '1,024 GiB',
    ])
    assert.deepEqual([null, 0.44, 12.6, 1_250].map(millis), ['–', '0.4 ms', '13 ms', '1.3 s'])
  })

  it('show what would not be seen', () => {
    assert.equal(plain('a\u202Eb\u0000\n\u2028'), 'a\\u{202e}b\\u{0}\\u{a}\\u{2028}')
    assert.equal(plain('👩‍👩‍👧 ä'), '👩‍👩‍👧 ä')
  })
})
