import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Inbox, type InboxPolicy } from '../../../lib/core/messages/inbox.js'

interface Numbered {
  readonly number: number
  readonly bytes: number
  readonly era: number
}

const ROOMY: InboxPolicy = { maxMessages: 1_000, maxBytes: 1_000_000, concurrency: 1 }

function inbox(policy: Partial<InboxPolicy>): Inbox<Numbered> {
  return new Inbox({ ...ROOMY, ...policy })
}

function message(bytes: number, number = 0, era = 0): Numbered {
  return { number, bytes, era }
}

test('messages come out in the order in which they came, and nothing comes out of an empty one', () => {
  const box = inbox({})
  for (const number of [1, 2, 3]) box.push(message(10, number))
  assert.deepEqual(
    [box.shift(), box.shift(), box.shift(), box.shift()].map((each) => each?.number),
    [1, 2, 3, undefined],
  )
})

test('an inbox is idle when nothing waits and nothing is being handled', () => {
  const box = inbox({})
  assert.equal(box.isIdle, true)
  box.push(message(5))
  assert.equal(box.isIdle, false)
  box.shift()
  assert.deepEqual([box.waiting, box.isIdle], [0, false])
  box.end(5, 0)
  assert.equal(box.isIdle, true)
})

test('a message may be handled while fewer are than may be at once', () => {
  const box = inbox({ concurrency: 2 })
  for (const number of [1, 2]) box.push(message(1, number))
  box.shift()
  assert.equal(box.mayHandle, true)
  box.shift()
  assert.equal(box.mayHandle, false)
  box.end(1, 0)
  assert.equal(box.mayHandle, true)
})

test('a message is held until it has been handled, whether it had to wait or not', () => {
  const box = inbox({})
  box.begin(7)
  assert.deepEqual([box.bytes, box.waiting, box.isIdle, box.mayHandle], [7, 0, false, false])
  box.push(message(5))
  box.end(7, 0)
  assert.equal(box.bytes, 5)
  box.shift()
  assert.equal(box.bytes, 5)
  box.end(5, 0)
  assert.equal(box.bytes, 0)
})

test('forgotten messages are counted, and those that are being handled are not among them', () => {
  const box = inbox({})
  for (const number of [1, 2, 3]) box.push(message(10, number))
  box.shift()
  assert.equal(box.clear(), 2)
  assert.deepEqual([box.waiting, box.bytes, box.isIdle], [0, 10, false])
  assert.equal(box.shift(), undefined)
  assert.equal(box.clear(), 0)
})

test('empty messages fill an inbox by their number', () => {
  const box = inbox({ maxMessages: 4 })
  for (const number of [1, 2, 3]) box.push(message(0, number))
  assert.deepEqual([box.isFull, box.hasRoom], [false, true])
  box.push(message(0, 4))
  assert.deepEqual([box.isFull, box.hasRoom], [true, false])
})

test('large messages fill an inbox by their bytes, a single one too', () => {
  for (const sizes of [[60, 40], [100], [1_000_000]]) {
    const box = inbox({ maxBytes: 100 })
    for (const bytes of sizes) box.push(message(bytes))
    assert.deepEqual([box.isFull, box.hasRoom], [true, false], sizes.join(', '))
  }
})

test('from full until half empty an inbox stays full, though it has room', () => {
  const box = inbox({ maxMessages: 4 })
  for (const number of [1, 2, 3, 4]) box.push(message(0, number))
  box.shift()
  assert.deepEqual([box.isFull, box.hasRoom], [true, false], 'what is being handled is held too')
  box.end(0, 0)
  assert.deepEqual([box.isFull, box.hasRoom], [true, true])
  box.shift()
  box.end(0, 0)
  assert.deepEqual([box.isFull, box.hasRoom], [false, true])
  box.push(message(0, 5))
  assert.equal(box.isFull, false, 'and on the way up it is not full before it is full')
})

test('an inbox is half empty when it is so by both bounds', () => {
  const box = inbox({ maxMessages: 4, maxBytes: 100 })
  for (const bytes of [90, 0, 0, 10]) box.push(message(bytes))
  for (const bytes of [0, 0]) {
    box.begin(bytes)
    box.end(bytes, 0)
  }
  box.shift()
  box.end(90, 0)
  assert.equal(box.isFull, true, 'three of four')
  box.shift()
  box.end(0, 0)
  assert.equal(box.isFull, false)
})

test('an inbox of one message is full with it, and has resumed without it', () => {
  const box = inbox({ maxMessages: 1 })
  box.begin(3)
  assert.equal(box.isFull, true)
  box.end(3, 0)
  assert.equal(box.isFull, false)
})

test('an inbox that forgets what waits has room again', () => {
  const box = inbox({ maxMessages: 2 })
  for (const number of [1, 2]) box.push(message(1, number))
  assert.equal(box.isFull, true)
  box.clear()
  assert.deepEqual([box.isFull, box.hasRoom, box.bytes], [false, true, 0])
})

test('who waits for what has come by now is not kept by later ones, whichever is handled first', () => {
  const box = inbox({ concurrency: 3 })
  assert.deepEqual([box.era, box.older], [0, 0])
  box.begin(1)
  for (const number of [1, 2]) box.push(message(1, number, box.era))
  box.shift()
  box.beginEra()
  assert.deepEqual([box.era, box.older], [1, 3])
  box.push(message(1, 3, box.era))
  box.end(1, 0)
  box.shift()
  box.shift()
  box.end(1, 1)
  assert.equal(box.older, 2)
  box.end(1, 0)
  box.end(1, 0)
  assert.deepEqual([box.older, box.isIdle], [0, true])
})

type Step =
  | { readonly does: 'arrive'; readonly bytes: number }
  | { readonly does: 'handle' }
  | { readonly does: 'end'; readonly which: number }
  | { readonly does: 'clear' }
  | { readonly does: 'begin an era' }

/** Weighted towards arrivals that come together: the interesting states are the full ones. */
const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ does: fc.constant('arrive' as const), bytes: fc.nat(40) }),
    },
    { weight: 6, arbitrary: fc.record({ does: fc.constant('handle' as const) }) },
    { weight: 6, arbitrary: fc.record({ does: fc.constant('end' as const), which: fc.nat(7) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('clear' as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('begin an era' as const) }) },
  ),
  { minLength: 1, maxLength: 200 },
)

const policies: fc.Arbitrary<InboxPolicy> = fc.record({
  maxMessages: fc.integer({ min: 1, max: 12 }),
  maxBytes: fc.integer({ min: 1, max: 200 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
})

/** A schedule as its reader lives it: one that begins at once what need not wait. */
class Schedule {
  readonly box: Inbox<Numbered>
  readonly policy: InboxPolicy
  waiting: Numbered[] = []
  handling: Numbered[] = []
  /** Numbers of the messages whose handling began, in that order, and of those that were forgotten. */
  readonly begun: number[] = []
  readonly forgotten: number[] = []
  arrived = 0
  isFull = false

  constructor(policy: InboxPolicy) {
    this.policy = policy
    this.box = new Inbox(policy)
  }

  do(step: Step): void {
    if (step.does === 'arrive') this.#arrive(message(step.bytes, ++this.arrived, this.box.era))
    else if (step.does === 'handle') this.#handle()
    else if (step.does === 'clear') this.#clear()
    else if (step.does === 'begin an era') this.box.beginEra()
    else this.#end(step.which)
    this.#note()
  }

  get held(): readonly Numbered[] {
    return [...this.waiting, ...this.handling]
  }

  get older(): number {
    return this.held.filter(({ era }) => era < this.box.era).length
  }

  get bytes(): number {
    return this.held.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #arrive(each: Numbered): void {
    if (this.box.waiting === 0 && this.box.mayHandle) {
      this.box.begin(each.bytes)
      this.#begun(each)
    } else {
      this.box.push(each)
      this.waiting.push(each)
    }
  }

  #handle(): void {
    if (!this.box.mayHandle) return
    const each = this.box.shift()
    assert.equal(each, this.waiting.shift())
    if (each !== undefined) this.#begun(each)
  }

  #begun(each: Numbered): void {
    this.begun.push(each.number)
    this.handling.push(each)
  }

  #end(which: number): void {
    const [each] = this.handling.splice(which % Math.max(1, this.handling.length), 1)
    if (each !== undefined) this.box.end(each.bytes, each.era)
  }

  #clear(): void {
    assert.equal(this.box.clear(), this.waiting.length)
    this.forgotten.push(...this.waiting.map(({ number }) => number))
    this.waiting = []
  }

  #note(): void {
    const { maxMessages, maxBytes } = this.policy
    const count = this.held.length
    if (count >= maxMessages || this.bytes >= maxBytes) this.isFull = true
    else if (count * 2 <= maxMessages && this.bytes * 2 <= maxBytes) this.isFull = false
  }
}

test('whatever comes, is handled, ends and is forgotten, the counts are exact', () => {
  fc.assert(
    fc.property(policies, steps, (policy, schedule) => {
      const run = new Schedule(policy)
      const { box } = run
      for (const step of schedule) {
        run.do(step)
        assert.equal(box.waiting, run.waiting.length)
        assert.equal(box.bytes, run.bytes)
        assert.equal(box.isIdle, run.held.length === 0)
        assert.equal(box.older, run.older)
        assert.equal(box.mayHandle, run.handling.length < policy.concurrency)
      }
    }),
  )
})

test('whatever comes, it is full from a bound until half of both, and has room below both', () => {
  fc.assert(
    fc.property(policies, steps, (policy, schedule) => {
      const run = new Schedule(policy)
      for (const step of schedule) {
        run.do(step)
        assert.equal(run.box.isFull, run.isFull)
        const { maxMessages, maxBytes } = policy
        assert.equal(run.box.hasRoom, run.held.length < maxMessages && run.bytes < maxBytes)
      }
    }),
  )
})

test('whatever comes, order and concurrency are kept, and nothing is lost or doubled', () => {
  fc.assert(
    fc.property(policies, steps, (policy, schedule) => {
      const run = new Schedule(policy)
      for (const step of schedule) {
        run.do(step)
        assert.ok(run.handling.length <= policy.concurrency)
      }
      assert.deepEqual(
        run.begun,
        run.begun.toSorted((one, other) => one - other),
      )
      const seen = [
        ...run.begun,
        ...run.forgotten,
        ...run.waiting.map(({ number }) => number),
      ].toSorted((one, other) => one - other)
      assert.deepEqual(
        seen,
        Array.from({ length: run.arrived }, (_, index) => index + 1),
      )
    }),
  )
})

test('a source that pauses while it is full never brings more than the bounds and one message', () => {
  fc.assert(
    fc.property(policies, steps, (policy, schedule) => {
      const run = new Schedule(policy)
      for (const step of schedule) {
        if (step.does === 'arrive' && run.box.isFull) continue
        run.do(step)
        assert.ok(run.held.length <= policy.maxMessages)
        assert.ok(run.bytes < policy.maxBytes + 40)
      }
    }),
  )
})

test('a source that pauses is always let on: where all has been handled it is not full', () => {
  fc.assert(
    fc.property(policies, steps, (policy, schedule) => {
      const run = new Schedule(policy)
      for (const step of schedule) run.do(step)
      while (run.held.length > 0) {
        run.do({ does: 'end', which: 0 })
        run.do({ does: 'handle' })
      }
      assert.deepEqual([run.box.isFull, run.box.hasRoom, run.box.bytes], [false, true, 0])
    }),
  )
})
