import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Capacity, Slots } from '../../../lib/core/admission/capacity.js'

/** How many more of a key fit. */
function roomFor(capacity: Capacity, key: string, atMost = 50): number {
  let room = 0
  while (room < atMost && capacity.take(key)) room++
  for (let i = 0; i < room; i++) capacity.giveBack(key)
  return room
}

test('a capacity takes as many as it says, and no more', () => {
  const capacity = new Capacity('the server', 3)
  assert.deepEqual(
    Array.from({ length: 5 }, () => capacity.take('')),
    [true, true, true, false, false],
  )
})

test('a capacity of zero takes none', () => {
  const capacity = new Capacity('the server', 0)
  assert.equal(capacity.take(''), false)
  capacity.giveBack('')
  assert.equal(capacity.take(''), false)
})

test('a capacity without an end takes any number', () => {
  const capacity = new Capacity('the server', Infinity)
  assert.equal(roomFor(capacity, '', 10_000), 10_000)
})

test('a capacity knows whose it is', () => {
  assert.equal(new Capacity('route /rooms/:id', 1).of, 'route /rooms/:id')
})

test('what was refused has taken nothing', () => {
  const capacity = new Capacity('the server', 2)
  assert.equal(capacity.take(''), true)
  assert.equal(capacity.take(''), true)
  for (let i = 0; i < 10; i++) assert.equal(capacity.take(''), false)
  capacity.giveBack('')
  assert.equal(roomFor(capacity, ''), 1)
})

test('giving back what nobody has taken makes no room', () => {
  const capacity = new Capacity('the server', 2)
  for (let i = 0; i < 10; i++) capacity.giveBack('')
  assert.equal(roomFor(capacity, ''), 2)
})

for (const key of ['', '__proto__', 'constructor', 'hasOwnProperty', '0', ' ', '\0', '😀']) {
  test(`the key ${JSON.stringify(key)} counts by itself, like any other`, () => {
    const capacity = new Capacity('the server', 2)
    assert.equal(roomFor(capacity, key), 2)
    assert.equal(capacity.take(key), true)
    assert.equal(roomFor(capacity, key), 1)
    assert.equal(roomFor(capacity, 'other'), 2)
    capacity.giveBack(key)
    assert.equal(roomFor(capacity, key), 2)
  })
}

test('slots are given back once, however often it is said', () => {
  const capacity = new Capacity('the server', 2)
  const [ours, others] = [new Slots(), new Slots()]
  assert.equal(ours.take(capacity, ''), true)
  assert.equal(others.take(capacity, ''), true)
  for (let i = 0; i < 5; i++) ours.giveBack()
  // Else the place of the others would be free.
  assert.equal(roomFor(capacity, ''), 1)
})

test('slots of several capacities are given back together, each to its own', () => {
  const [server, route] = [new Capacity('the server', 3), new Capacity('route /', 1)]
  const slots = new Slots()
  assert.equal(slots.take(server, ''), true)
  assert.equal(slots.take(route, ''), true)
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [2, 0])
  slots.giveBack()
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [3, 1])
})

test('slots of which the second capacity has no room give the first one back', () => {
  const [server, route] = [new Capacity('the server', 3), new Capacity('route /', 0)]
  const slots = new Slots()
  assert.equal(slots.take(server, ''), true)
  assert.equal(slots.take(route, ''), false)
  slots.giveBack()
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [3, 0])
})

test('a capacity that slots hold already is not taken again', () => {
  const capacity = new Capacity('the server', 2)
  const slots = new Slots()
  for (let i = 0; i < 5; i++) assert.equal(slots.take(capacity, ''), true)
  assert.equal(roomFor(capacity, ''), 1)
  slots.giveBack()
  assert.equal(roomFor(capacity, ''), 2)
})

test('slots that were given back can be taken again', () => {
  const capacity = new Capacity('the server', 1)
  const slots = new Slots()
  for (let i = 0; i < 3; i++) {
    assert.equal(slots.take(capacity, ''), true)
    assert.equal(capacity.take(''), false)
    slots.giveBack()
  }
  assert.equal(roomFor(capacity, ''), 1)
})

const KEYS = ['', 'ann', 'bob'] as const

type Command =
  | { readonly does: 'take'; readonly who: number; readonly key: string; readonly of: number }
  | { readonly does: 'give back'; readonly who: number }

const who = fc.nat(5)
const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('take' as const),
      who,
      key: fc.constantFrom(...KEYS),
      of: fc.nat(1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('give back' as const), who }) },
)

test('in any order: from none to the maximum is taken, and a slot is given back once', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.nat(4), fc.nat(4)),
      fc.array(commands, { maxLength: 120 }),
      (maxima, schedule) => {
        const capacities = maxima.map((max, i) => new Capacity(`capacity ${i}`, max))
        const everybody = Array.from({ length: 6 }, () => new Slots())
        /** Who holds what: `<capacity> <key>`, as often as it was taken. */
        const held = everybody.map((): string[] => [])
        const taken = (of: number, key: string): number =>
          held.flat().filter((place) => place === `${of} ${key}`).length
        for (const command of schedule) {
          const slots = everybody[command.who] as Slots
          const own = held[command.who] as string[]
          if (command.does === 'give back') {
            slots.giveBack()
            own.length = 0
          } else {
            const { of, key } = command
            const isHeld = own.some((place) => place.startsWith(`${of} `))
            const hasRoom = taken(of, key) < (maxima[of] as number)
            assert.equal(slots.take(capacities[of] as Capacity, key), isHeld || hasRoom)
            if (hasRoom && !isHeld) own.push(`${of} ${key}`)
          }
          capacities.forEach((capacity, of) => {
            for (const key of KEYS) {
              assert.equal(roomFor(capacity, key), (maxima[of] as number) - taken(of, key))
            }
          })
        }
        for (const slots of everybody) slots.giveBack()
        capacities.forEach((capacity, of) => {
          for (const key of KEYS) assert.equal(roomFor(capacity, key), maxima[of])
        })
      },
    ),
  )
})

/** An owner of a place who leaves when it is told to. */
function leaving(slots: Slots, events: string[], name: string): { displace(): void } {
  return {
    displace: () => {
      events.push(name)
      slots.giveBack()
    },
  }
}

test('where a capacity is full, the owner that was softened first gives back its place', () => {
  const capacity = new Capacity('the server', 2)
  const events: string[] = []
  for (const name of ['first', 'second']) {
    const slots = new Slots()
    assert.ok(slots.take(capacity, ''))
    slots.soften(leaving(slots, events, name))
  }
  assert.ok(new Slots().take(capacity, ''))
  assert.deepEqual(events, ['first'])
  assert.ok(new Slots().take(capacity, ''))
  assert.deepEqual(events, ['first', 'second'])
  assert.equal(new Slots().take(capacity, ''), false)
})

test('an owner is displaced from the capacity, and the key, that is full, and only while it is soft', () => {
  const capacity = new Capacity('the server', 1)
  const events: string[] = []
  const slots = new Slots()
  assert.ok(slots.take(capacity, 'ada'))
  slots.soften(leaving(slots, events, 'ada'))
  assert.ok(new Slots().take(capacity, 'bob'))
  slots.harden()
  slots.harden()
  assert.equal(new Slots().take(capacity, 'ada'), false)
  assert.deepEqual(events, [])
})

test('a soft owner that gives back its place by itself is not asked any more', () => {
  const capacity = new Capacity('the server', 1)
  const events: string[] = []
  const slots = new Slots()
  assert.ok(slots.take(capacity, ''))
  slots.soften(leaving(slots, events, 'first'))
  slots.giveBack()
  assert.equal(roomFor(capacity, ''), 1)
  assert.deepEqual(events, [])
})
