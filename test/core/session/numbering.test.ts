import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Incoming, Outgoing } from '../../../lib/core/session/numbering.js'

/** With so many messages, and with none handed over. */
function outgoing(count: number): Outgoing<number> {
  const messages = new Outgoing<number>()
  for (let number = 1; number <= count; number++) messages.push(number)
  return messages
}

/** Hands over so many messages. */
function handOver(messages: Outgoing<number>, count: number): Array<number | undefined> {
  return Array.from({ length: count }, () => messages.next())
}

test('messages are handed over in the order in which they were sent, each once', () => {
  const messages = outgoing(3)
  assert.deepEqual(handOver(messages, 4), [1, 2, 3, undefined])
  assert.equal(messages.isWaiting, false)
  messages.push(4)
  assert.equal(messages.isWaiting, true)
  assert.deepEqual(handOver(messages, 2), [4, undefined])
})

test('a message is kept until the peer has confirmed it', () => {
  const messages = outgoing(4)
  handOver(messages, 3)
  assert.deepEqual(messages.acknowledge(2), [1, 2])
  assert.deepEqual(messages.all(), [3, 4])
  assert.deepEqual([messages.acknowledged, messages.size, messages.total], [2, 2, 4])
  assert.deepEqual(handOver(messages, 2), [4, undefined])
})

test('a new connection gets all that is not confirmed', () => {
  const messages = outgoing(4)
  handOver(messages, 3)
  messages.acknowledge(1)
  messages.rewind()
  assert.deepEqual(handOver(messages, 4), [2, 3, 4, undefined])
})

test('the peer can confirm again what it has confirmed, and nothing follows', () => {
  const messages = outgoing(2)
  handOver(messages, 2)
  assert.deepEqual(messages.acknowledge(1), [1])
  assert.deepEqual(messages.acknowledge(1), [])
})

test('the peer cannot take back what it has confirmed', () => {
  const messages = outgoing(3)
  handOver(messages, 3)
  messages.acknowledge(2)
  assert.equal(messages.isPossible(1), false)
  assert.equal(messages.acknowledge(1), undefined)
  assert.deepEqual([messages.acknowledged, messages.all()], [2, [3]])
})

test('the peer cannot have received what was never handed over', () => {
  const messages = outgoing(3)
  handOver(messages, 2)
  assert.deepEqual([messages.isPossible(2), messages.isPossible(3)], [true, false])
  assert.equal(messages.acknowledge(3), undefined)
  assert.deepEqual([messages.acknowledged, messages.size], [0, 3])
})

test('what an earlier connection was given may be confirmed before a later one has given it again', () => {
  const messages = outgoing(5)
  handOver(messages, 4)
  messages.rewind()
  handOver(messages, 1)
  assert.deepEqual(messages.acknowledge(4), [1, 2, 3, 4])
  assert.deepEqual(handOver(messages, 2), [5, undefined])
})

test('there is nothing to confirm, and nothing to hand over, of nothing', () => {
  const messages = outgoing(0)
  assert.deepEqual([messages.isPossible(0), messages.isPossible(1)], [true, false])
  assert.deepEqual(messages.acknowledge(0), [])
  messages.rewind()
  assert.deepEqual(
    [messages.isWaiting, messages.next(), messages.all(), messages.total],
    [false, undefined, [], 0],
  )
})

test('counts that are none are not possible', () => {
  const messages = outgoing(2)
  handOver(messages, 2)
  for (const count of [-1, Number.NaN, Infinity]) assert.equal(messages.isPossible(count), false)
})

test('what is confirmed is not handed over again', () => {
  const messages = outgoing(4)
  handOver(messages, 4)
  messages.rewind()
  messages.acknowledge(2)
  assert.deepEqual(handOver(messages, 3), [3, 4, undefined])
})

type Step =
  | { readonly does: 'push' | 'next' | 'rewind' }
  /** A part of what is possible, or a little more or less. */
  | { readonly does: 'acknowledge'; readonly part: number; readonly off: number }

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant<Step>({ does: 'push' }) },
    { weight: 8, arbitrary: fc.constant<Step>({ does: 'next' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ does: 'rewind' }) },
    {
      weight: 3,
      arbitrary: fc.record({
        does: fc.constant('acknowledge' as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        off: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 2 })),
      }),
    },
  ),
  { maxLength: 300 },
)

/** The same as the class, with numbers in place of messages. */
class Numbers {
  readonly tested = new Outgoing<number>()
  total = 0
  acknowledged = 0
  /** The last one that was handed to this connection, and to any. */
  last = 0
  highest = 0

  do(step: Step): void {
    if (step.does === 'acknowledge') this.#acknowledge(step.part, step.off)
    else if (step.does === 'push') this.tested.push(++this.total)
    else if (step.does === 'next') this.#next()
    else this.#rewind()
  }

  #next(): void {
    const expected = this.last < this.total ? ++this.last : undefined
    assert.equal(this.tested.next(), expected)
    this.highest = Math.max(this.highest, this.last)
  }

  #rewind(): void {
    this.tested.rewind()
    this.last = this.acknowledged
  }

  #acknowledge(part: number, off: number): void {
    const possible = this.highest - this.acknowledged
    const count = this.acknowledged + Math.floor(part * possible) + off
    const isPossible = count >= this.acknowledged && count <= this.highest
    const expected = isPossible ? range(this.acknowledged, count) : undefined
    assert.equal(this.tested.isPossible(count), isPossible)
    assert.deepEqual(this.tested.acknowledge(count), expected)
    if (isPossible) this.acknowledged = count
    this.last = Math.max(this.last, this.acknowledged)
  }
}

function range(after: number, until: number): number[] {
  return Array.from({ length: until - after }, (_, index) => after + index + 1)
}

test('whatever is sent, handed over and confirmed, the numbers are exact', () => {
  fc.assert(
    fc.property(steps, (schedule) => {
      const run = new Numbers()
      for (const step of schedule) {
        run.do(step)
        const { acknowledged, last, tested, total } = run
        assert.deepEqual(
          [tested.acknowledged, tested.total, tested.size, tested.isWaiting],
          [acknowledged, total, total - acknowledged, last < total],
        )
      }
      assert.deepEqual(run.tested.all(), range(run.acknowledged, run.total))
    }),
    { numRuns: 300 },
  )
})

test('nothing is owed before a message has come, and nothing after the peer was told', () => {
  const incoming = new Incoming()
  assert.deepEqual([incoming.received, incoming.owes, incoming.tell()], [0, false, 0])
  incoming.note(1)
  assert.deepEqual([incoming.received, incoming.owes], [1, true])
  assert.equal(incoming.tell(), 1)
  assert.deepEqual([incoming.received, incoming.owes], [1, false])
})

test('the peer is told at once after 32 messages, and then after 32 more', () => {
  const incoming = new Incoming()
  for (let round = 0; round < 2; round++) {
    for (let i = 1; i < 32; i++) assert.equal(incoming.note(0), false, `${i}`)
    assert.equal(incoming.note(0), true)
    incoming.tell()
  }
})

test('until it was told, each further message says that it should be', () => {
  const incoming = new Incoming()
  for (let i = 1; i < 32; i++) incoming.note(0)
  assert.deepEqual([incoming.note(0), incoming.note(0)], [true, true])
})

test('the peer is told at once after 16 KiB, in one message or in several', () => {
  const incoming = new Incoming()
  assert.equal(incoming.note(16_384), true)
  incoming.tell()
  assert.deepEqual(
    [incoming.note(16_383), incoming.note(0), incoming.note(1)],
    [false, false, true],
  )
})

test('whatever comes, what is owed stays below the bounds if the peer is told in time', () => {
  const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(70_000)), { maxLength: 200 })
  fc.assert(
    fc.property(sizes, (all) => {
      const incoming = new Incoming()
      let [told, bytes] = [0, 0]
      for (const size of all) {
        const isDue = incoming.note(size)
        bytes += size
        assert.equal(isDue, incoming.received - told >= 32 || bytes >= 16_384)
        if (isDue) [told, bytes] = [incoming.tell(), 0]
        assert.equal(incoming.owes, incoming.received > told)
      }
      assert.equal(incoming.received, all.length)
    }),
  )
})
