import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OutboxAge } from '../../../lib/core/messages/outbox-age.js'

const MAX_AGE = 10_000
const LOOK_EVERY = 1_000
/** What a reader of 16 KiB/s takes in one ms. */
const PER_MS = 16_384 / 1_000
/** For so many times maxAge the kernel excuses a reader at most. */
const AGES = 15
/** So many bytes a kernel, over loopback, may keep its progress to itself. */
const LARGEST_STEP = 1_700_000

/** When it is stuck, looked at every second from 0 on; `undefined` if it is not until then. */
function stuckAt(
  age: OutboxAge,
  taken: (now: number) => number,
  isWaiting: (now: number) => boolean,
  until = 1_000_000,
): number | undefined {
  for (let now = LOOK_EVERY; now <= until; now += LOOK_EVERY) {
    if (age.look(now, taken(now), isWaiting(now))) return now
  }
  return undefined
}

const always = (): boolean => true

test('what an empty kernel never takes is stuck maxAge after it was seen', () => {
  assert.equal(
    stuckAt(new OutboxAge(MAX_AGE, 0, 0), () => 0, always),
    LOOK_EVERY + MAX_AGE,
  )
})

test('what the kernel took before the connection opened excuses nobody', () => {
  assert.equal(
    stuckAt(new OutboxAge(MAX_AGE, 0, 9e9), () => 9e9, always),
    LOOK_EVERY + MAX_AGE,
  )
})

test('age counts from when something was seen to wait, not from the opening', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  assert.equal(
    stuckAt(
      age,
      () => 0,
      (now) => now > 60_000,
    ),
    61_000 + MAX_AGE,
  )
})

test('what the kernel took excuses a reader for half as long again as 16 KiB/s takes', () => {
  const took = 16_384 * 30
  assert.equal(
    stuckAt(new OutboxAge(MAX_AGE, 0, 0), () => took, always),
    45_000 + MAX_AGE,
  )
})

test('the kernel excuses nobody for longer than fifteen times maxAge in all, whatever it took', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  // It is seen to have taken it one look later.
  assert.equal(
    stuckAt(age, () => 1e9, always),
    AGES * MAX_AGE + LOOK_EVERY,
  )
})

test('where nothing waits nobody is stuck, and what waits later begins anew', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  assert.equal(
    stuckAt(
      age,
      () => 0,
      () => false,
    ),
    undefined,
  )
  assert.equal(age.look(1_000_500, 0, true), false)
  assert.equal(age.look(1_010_499, 0, true), false)
  assert.equal(age.look(1_010_500, 0, true), true)
})

test('a reader that was stuck and takes again is stuck no more', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  assert.equal(age.look(0, 0, true), false)
  assert.equal(age.look(10_000, 0, true), true)
  assert.equal(age.look(11_000, 1, true), false)
  assert.equal(age.look(20_000, 1, true), false)
  assert.equal(age.look(21_001, 1, true), true)
})

test('while nothing waits nobody looks: what the kernel took since may have been taken just now', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  const took = 16_384 * 30
  assert.equal(age.look(600_000, took, true), false)
  assert.equal(age.look(599_000 + 45_000 + MAX_AGE - 1, took, true), false)
  assert.equal(age.look(599_000 + 45_000 + MAX_AGE, took, true), true)
})

test('progress that shows at least once in maxAge is never stuck, however small', () => {
  const age = new OutboxAge(MAX_AGE, 0, 0)
  assert.equal(
    stuckAt(age, (now) => Math.floor(now / 9_000), always),
    undefined,
  )
})

interface Kernel {
  /** What it holds at most. */
  readonly capacity: number
  /** So much of it has to be free before it takes on: by turns, as no two steps are alike. */
  readonly steps: readonly number[]
}

/** A sender that always has more, its kernel, and a reader of so many bytes per ms. */
class Line {
  taken = 0
  #read = 0
  /** Until so much is free, if it was full. */
  #blockedUntil: number | undefined
  #blocks = 0
  #waiting = 0
  readonly #kernel: Kernel

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  get isWaiting(): boolean {
    return this.#waiting > 0
  }

  send(bytes: number): void {
    this.#waiting += bytes
    // As long as nothing waited before it, the kernel takes what it has room for.
    this.#take()
  }

  read(bytes: number): void {
    this.#read = Math.min(this.taken, this.#read + bytes)
    if (this.#free >= (this.#blockedUntil ?? 0)) this.#blockedUntil = undefined
    this.#take()
  }

  get #free(): number {
    return this.#kernel.capacity - (this.taken - this.#read)
  }

  #take(): void {
    if (this.#blockedUntil !== undefined) return
    const now = Math.min(this.#waiting, this.#free)
    this.taken += now
    this.#waiting -= now
    const { steps } = this.#kernel
    if (this.#waiting > 0) this.#blockedUntil = steps[this.#blocks++ % steps.length]
  }
}

/** One whose steps are up to half as large again as the one before. */
const kernels: fc.Arbitrary<Kernel> = fc
  .record({
    capacity: fc.integer({ min: 4_096, max: 6_000_000 }),
    third: fc.double({ min: 0.001, max: 1, noNaN: true }),
    shares: fc.array(fc.double({ min: 0.67, max: 1, noNaN: true }), { minLength: 1, maxLength: 9 }),
  })
  .map(({ capacity, third, shares }) => ({
    capacity,
    steps: shares.map((share) => Math.min(LARGEST_STEP, Math.ceil(capacity * third)) * share),
  }))

/** Over loopback. */
const MEASURED: Kernel = {
  capacity: 4_500_000,
  steps: [1_440_000, 1_700_000, 1_500_000, 1_700_000, 1_410_000],
}

/** More than any kernel holds: something waits from then on. */
const muchAtOnce = (now: number): number => (now === 100 ? 100e6 : 0)

/** Looks at a line until somebody is stuck; every tenth of a second it is read and written. */
function lineStuckAt(
  kernel: Kernel,
  readPerMs: number,
  send: (now: number) => number,
  until: number,
): number | undefined {
  const line = new Line(kernel)
  const age = new OutboxAge(MAX_AGE, 0, 0)
  for (let now = 100; now <= until; now += 100) {
    line.read(readPerMs * 100)
    line.send(send(now))
    if (now % LOOK_EVERY === 0 && age.look(now, line.taken, line.isWaiting)) return now
  }
  return undefined
}

test('a reader of 16 KiB/s is never stuck, though progress shows in uneven steps of 1.7 MB', () => {
  fc.assert(
    fc.property(kernels, (kernel) => {
      assert.equal(lineStuckAt(kernel, PER_MS, muchAtOnce, 900_000), undefined)
    }),
    { numRuns: 60, examples: [[MEASURED]] },
  )
})

test('nor is it where messages come now and then, and the kernel is full and empty by turns', () => {
  const sends = fc.array(
    fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400_000 }), fc.constant(3_000_000)),
    { minLength: 1, maxLength: 300 },
  )
  fc.assert(
    fc.property(kernels, sends, (kernel, schedule) => {
      // One entry for every three seconds.
      const send = (now: number): number =>
        now % 3_000 === 0 ? (schedule[now / 3_000 - 1] ?? 0) : 0
      assert.equal(lineStuckAt(kernel, PER_MS, send, 900_000), undefined)
    }),
    { numRuns: 60 },
  )
})

test('a reader of one byte a second is stuck, within fifteen times maxAge of shown progress', () => {
  const large = kernels.filter(({ steps }) => Math.min(...steps) > 1_000)
  fc.assert(
    fc.property(large, (kernel) => {
      const at = lineStuckAt(kernel, 0.001, muchAtOnce, 900_000)
      assert.ok(at !== undefined && at <= AGES * MAX_AGE + LOOK_EVERY, `${at}`)
      assert.ok(at >= MAX_AGE)
    }),
    { numRuns: 60 },
  )
})

test('a kernel that takes no more is stuck between one and fifteen times maxAge later', () => {
  const takes = fc.array(fc.integer({ min: 1, max: 8_000_000 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(takes, fc.integer({ min: 50, max: 60_000 }), (sizes, maxAge) => {
      const age = new OutboxAge(maxAge, 0, 0)
      const every = Math.min(1_000, maxAge / 10)
      let now = 0
      let taken = 0
      for (const size of sizes) {
        taken += size
        now += every
        assert.equal(age.look(now, taken, true), false)
      }
      const last = now
      do now += every
      while (!age.look(now, taken, true))
      assert.ok(now - last >= maxAge - 0.01, `${now - last}`)
      assert.ok(now - last <= AGES * maxAge + every, `${now - last}`)
    }),
  )
})
