import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Limit, Slots } from '../../../lib/core/admission/limits.js'

/** How many more of a key fit. */
function roomFor(limit: Limit, key: string, atMost = 50): number {
  let room = 0
  while (room < atMost && limit.take(key)) room++
  for (let i = 0; i < room; i++) limit.giveBack(key)
  return room
}

test('a limit takes as many as it says, and no more', () => {
  const limit = new Limit('the server', 3)
  assert.deepEqual(
    Array.from({ length: 5 }, () => limit.take('')),
    [true, true, true, false, false],
  )
})

test('a limit of zero takes none', () => {
  const limit = new Limit('the server', 0)
  assert.equal(limit.take(''), false)
  limit.giveBack('')
  assert.equal(limit.take(''), false)
})

test('a limit without an end takes any number', () => {
  const limit = new Limit('the server', Infinity)
  assert.equal(roomFor(limit, '', 10_000), 10_000)
})

test('a limit knows whose it is', () => {
  assert.equal(new Limit('route /rooms/:id', 1).of, 'route /rooms/:id')
})

test('what was refused has taken nothing', () => {
  const limit = new Limit('the server', 2)
  assert.equal(limit.take(''), true)
  assert.equal(limit.take(''), true)
  for (let i = 0; i < 10; i++) assert.equal(limit.take(''), false)
  limit.giveBack('')
  assert.equal(roomFor(limit, ''), 1)
})

test('giving back what nobody has taken makes no room', () => {
  const limit = new Limit('the server', 2)
  for (let i = 0; i < 10; i++) limit.giveBack('')
  assert.equal(roomFor(limit, ''), 2)
})

for (const key of ['', '__proto__', 'constructor', 'hasOwnProperty', '0', ' ', '\0', '😀']) {
  test(`the key ${JSON.stringify(key)} counts by itself, like any other`, () => {
    const limit = new Limit('the server', 2)
    assert.equal(roomFor(limit, key), 2)
    assert.equal(limit.take(key), true)
    assert.equal(roomFor(limit, key), 1)
    assert.equal(roomFor(limit, 'other'), 2)
    limit.giveBack(key)
    assert.equal(roomFor(limit, key), 2)
  })
}

test('slots are given back once, however often it is said', () => {
  const limit = new Limit('the server', 2)
  const [ours, others] = [new Slots(), new Slots()]
  assert.equal(ours.take(limit, ''), true)
  assert.equal(others.take(limit, ''), true)
  for (let i = 0; i < 5; i++) ours.giveBack()
  // Else the place of the others would be free.
  assert.equal(roomFor(limit, ''), 1)
})

test('slots of several limits are given back together, each to its own', () => {
  const [server, route] = [new Limit('the server', 3), new Limit('route /', 1)]
  const slots = new Slots()
  assert.equal(slots.take(server, ''), true)
  assert.equal(slots.take(route, ''), true)
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [2, 0])
  slots.giveBack()
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [3, 1])
})

test('slots of which the second limit has no room give the first one back', () => {
  const [server, route] = [new Limit('the server', 3), new Limit('route /', 0)]
  const slots = new Slots()
  assert.equal(slots.take(server, ''), true)
  assert.equal(slots.take(route, ''), false)
  slots.giveBack()
  assert.deepEqual([roomFor(server, ''), roomFor(route, '')], [3, 0])
})

test('a limit that slots hold already is not taken again', () => {
  const limit = new Limit('the server', 2)
  const slots = new Slots()
  for (let i = 0; i < 5; i++) assert.equal(slots.take(limit, ''), true)
  assert.equal(roomFor(limit, ''), 1)
  slots.giveBack()
  assert.equal(roomFor(limit, ''), 2)
})

test('slots that were given back can be taken again', () => {
  const limit = new Limit('the server', 1)
  const slots = new Slots()
  for (let i = 0; i < 3; i++) {
    assert.equal(slots.take(limit, ''), true)
    assert.equal(limit.take(''), false)
    slots.giveBack()
  }
  assert.equal(roomFor(limit, ''), 1)
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
        const limits = maxima.map((max, i) => new Limit(`limit ${i}`, max))
        const everybody = Array.from({ length: 6 }, () => new Slots())
        /** Who holds what: `<limit> <key>`, as often as it was taken. */
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
            assert.equal(slots.take(limits[of] as Limit, key), isHeld || hasRoom)
            if (hasRoom && !isHeld) own.push(`${of} ${key}`)
          }
          limits.forEach((limit, of) => {
            for (const key of KEYS) {
              assert.equal(roomFor(limit, key), (maxima[of] as number) - taken(of, key))
            }
          })
        }
        for (const slots of everybody) slots.giveBack()
        limits.forEach((limit, of) => {
          for (const key of KEYS) assert.equal(roomFor(limit, key), maxima[of])
        })
      },
    ),
  )
})
