import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Capacity, Slots } from '../../../lib/core/admission/capacity.js'
import { type Claimant, type Seat, Succession } from '../../../lib/core/admission/succession.js'

/** Somebody who stays until told otherwise. */
class Guest implements Claimant {
  readonly order: number
  isStaying = true
  timesSeated = 0
  /** How often it was told to give way. */
  timesTold = 0
  seat: Seat | undefined

  constructor(order: number) {
    this.order = order
  }

  seated(): void {
    this.timesSeated++
  }

  giveWay(): void {
    this.timesTold++
    this.isStaying = false
  }

  claim(succession: Succession, key = 'ann'): this {
    this.seat = succession.claim(key, this)
    if (this.seat === undefined) this.isStaying = false
    return this
  }

  /** Its transport is gone. */
  leave(): void {
    this.isStaying = false
    this.seat?.giveBack()
    this.seat = undefined
  }

  get stands(): 'inside' | 'waiting' | 'outside' {
    if (this.seat === undefined) return 'outside'
    return this.seat.isTaken ? 'inside' : 'waiting'
  }
}

test('the oldest gives way, and the new one has its place when that is given back', () => {
  const succession = new Succession(2)
  const [first, second] = [new Guest(1).claim(succession), new Guest(2).claim(succession)]
  const third = new Guest(3).claim(succession)
  assert.deepEqual([first.timesTold, second.timesTold], [1, 0])
  assert.deepEqual([third.stands, third.timesSeated], ['waiting', 0])
  first.leave()
  assert.deepEqual([third.stands, third.timesSeated], ['inside', 1])
})

test('whoever came before all who stay is not let in, however late it asks', () => {
  const succession = new Succession(2)
  const [second, third] = [new Guest(2).claim(succession), new Guest(3).claim(succession)]
  const first = new Guest(1).claim(succession)
  assert.equal(first.stands, 'outside')
  assert.deepEqual([second.timesTold, third.timesTold], [0, 0])
})

test('nobody gives way for the sake of one that ends in any case; that one is told to hurry', () => {
  const succession = new Succession(2)
  const [first, second] = [new Guest(1).claim(succession), new Guest(2).claim(succession)]
  second.isStaying = false
  const third = new Guest(3).claim(succession)
  assert.deepEqual([first.timesTold, second.timesTold, third.stands], [0, 1, 'waiting'])
  second.leave()
  assert.equal(third.stands, 'inside')
})

test('whoever waits gives way to still newer ones, and to each of those who wait a place comes', () => {
  const succession = new Succession(2)
  const guests = [1, 2, 3, 4, 5].map((order) => new Guest(order).claim(succession))
  assert.deepEqual(
    guests.map(({ timesTold }) => timesTold),
    [3, 2, 1, 0, 0],
    'those inside are told to hurry with each that comes',
  )
  assert.deepEqual(
    guests.map(({ stands }) => stands),
    ['inside', 'inside', 'waiting', 'waiting', 'waiting'],
  )
  for (const guest of guests.slice(0, 3)) guest.leave()
  assert.deepEqual(
    guests.slice(3).map(({ stands }) => stands),
    ['inside', 'inside'],
  )
})

test('keys do not know of each other', () => {
  const succession = new Succession(1)
  const [ann, bob] = [new Guest(1).claim(succession, 'ann'), new Guest(2).claim(succession, 'bob')]
  assert.deepEqual([ann.stands, bob.stands, ann.timesTold], ['inside', 'inside', 0])
})

test('slots give a seat back once, and hand it to the connection', () => {
  const succession = new Succession(1)
  const [upgrade, connection] = [new Guest(1), new Guest(1)]
  const slots = new Slots()
  const capacity = new Capacity('the server', 1)
  assert.ok(slots.take(capacity, ''))
  const seat = slots.claim(succession, 'ann', upgrade)
  // A hook may call back twice.
  assert.equal(slots.claim(succession, 'ann', upgrade), seat)
  slots.handTo(connection)
  const next = new Guest(2).claim(succession)
  assert.deepEqual([upgrade.timesTold, connection.timesTold], [0, 1])
  slots.giveBack()
  assert.ok(capacity.take(''))
  assert.equal(next.stands, 'inside')
  const last = new Guest(3).claim(succession)
  slots.giveBack()
  assert.equal(last.stands, 'waiting', 'a place was given back twice')
})

test('slots without a seat have nobody to hand it to', () => {
  const slots = new Slots()
  slots.handTo(new Guest(1))
  slots.giveBack()
})

type Step =
  /** Somebody has come, and claims a place as the `asks`th of those who have not yet. */
  | { readonly does: 'come' }
  | { readonly does: 'claim'; readonly which: number }
  /** Somebody begins to end, of whom one is left. */
  | { readonly does: 'end'; readonly which: number }
  /** Somebody who was told to, or ends, is gone. */
  | { readonly does: 'go'; readonly which: number }

const which = fc.nat(30)
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ does: 'come' as const }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('claim' as const), which }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('end' as const), which }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('go' as const), which }) },
)

/** Who stays is a set from which the oldest goes when it is too large: all else is how that comes about. */
class Model {
  readonly #max: number
  #staying: Guest[] = []

  constructor(max: number) {
    this.#max = max
  }

  claim(guest: Guest): void {
    const all = [...this.#staying, guest].toSorted((a, b) => a.order - b.order)
    this.#staying = all.slice(Math.max(0, all.length - this.#max))
  }

  end(guest: Guest): void {
    this.#staying = this.#staying.filter((other) => other !== guest)
  }

  stays(guest: Guest): boolean {
    return this.#staying.includes(guest)
  }
}

function pick(guests: Guest[], which: number): Guest | undefined {
  return guests[which % Math.max(1, guests.length)]
}

test('in any order the newest stay, as many as fit are inside, and nobody waits for nothing', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(steps, { minLength: 10, maxLength: 200, size: 'max' }),
      (max, schedule) => {
        const succession = new Succession(max)
        const model = new Model(max)
        const coming: Guest[] = []
        const guests: Guest[] = []
        let orders = 0
        const check = (): void => {
          const inside = guests.filter(({ stands }) => stands === 'inside')
          const waiting = guests.filter((guest) => guest.stands === 'waiting' && guest.isStaying)
          assert.ok(inside.length <= max, 'too many are inside')
          assert.ok(inside.length === max || waiting.length === 0, 'somebody waits for nothing')
          for (const guest of guests) {
            assert.equal(guest.isStaying, model.stays(guest))
            assert.ok(guest.timesSeated <= 1)
            if (guest.stands === 'inside') assert.equal(guest.timesSeated, 1)
          }
        }
        const go = (guest: Guest | undefined): void => {
          if (guest === undefined) return
          guest.leave()
          model.end(guest)
        }
        for (const step of schedule) {
          if (step.does === 'come') coming.push(new Guest(++orders))
          if (step.does === 'claim') {
            const guest = pick(coming, step.which)
            if (guest === undefined) continue
            coming.splice(coming.indexOf(guest), 1)
            guests.push(guest)
            model.claim(guest)
            guest.claim(succession)
          }
          if (step.does === 'end') {
            const guest = pick(guests, step.which)
            if (guest !== undefined) {
              guest.isStaying = false
              model.end(guest)
            }
          }
          if (step.does === 'go') {
            go(
              pick(
                guests.filter(({ isStaying, seat }) => !isStaying && seat !== undefined),
                step.which,
              ),
            )
          }
          check()
        }
        // Everybody who is to go is gone: whoever stays is inside.
        for (const guest of guests) if (!guest.isStaying) go(guest)
        check()
        for (const guest of guests) {
          if (guest.isStaying) assert.equal(guest.stands, 'inside')
        }
        for (const guest of guests) go(guest)
        const after = Array.from({ length: max }, () => new Guest(++orders).claim(succession))
        assert.ok(
          after.every(({ stands }) => stands === 'inside'),
          'a place was lost',
        )
      },
    ),
    { numRuns: 500 },
  )
})

/** A session whose client is away: it leaves at once when it is told to. */
class AwayGuest extends Guest {
  readonly suspendedSince: number

  constructor(order: number, suspendedSince: number) {
    super(order)
    this.suspendedSince = suspendedSince
  }

  override giveWay(): void {
    super.giveWay()
    this.leave()
  }
}

test('the longest suspended one gives way before anybody who is there', () => {
  const succession = new Succession(3)
  const present = new Guest(1).claim(succession)
  const [later, longest] = [new AwayGuest(2, 70), new AwayGuest(3, 50)]
  for (const away of [later, longest]) away.claim(succession)
  const next = new Guest(4).claim(succession)
  assert.deepEqual(
    [present, later, longest].map(({ timesTold }) => timesTold),
    [0, 0, 1],
  )
  assert.equal(next.stands, 'inside')
})

test('a suspended one gives way also to an upgrade that is older than it', () => {
  const succession = new Succession(1)
  const away = new AwayGuest(2, 50).claim(succession)
  assert.equal(new Guest(1).claim(succession).stands, 'inside')
  assert.equal(away.timesTold, 1)
})
