import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Due, OFF, Wheel } from '../../lib/time/wheel.js'

const WIDTH = 100
const TURN = 128 * WIDTH

function wheelAt(now = 0): Wheel<Due> {
  return new Wheel(WIDTH, now)
}

function due(dueAt: number): Due {
  return { dueAt, place: OFF }
}

function added(wheel: Wheel<Due>, dueAt: number): Due {
  const member = due(dueAt)
  wheel.add(member)
  return member
}

test('a member is found once its time has come, and not before', () => {
  const wheel = wheelAt()
  const member = added(wheel, 250)
  assert.deepEqual(wheel.turn(200), [])
  assert.deepEqual(wheel.turn(249.9), [])
  assert.deepEqual(wheel.turn(250), [member])
})

test('it is found again when it has been moved, and no more when it was deleted', () => {
  const wheel = wheelAt()
  const member = added(wheel, 50)
  assert.deepEqual(wheel.turn(60), [member])
  wheel.move(member, 170)
  assert.deepEqual(wheel.turn(160), [])
  assert.deepEqual(wheel.turn(170), [member])
  assert.equal(wheel.delete(member), true)
  assert.deepEqual([wheel.turn(180), wheel.size], [[], 0])
})

test('a time that has passed is now', () => {
  const wheel = wheelAt()
  wheel.turn(1_000)
  const late = added(wheel, 10)
  assert.equal(late.dueAt, 1_000)
  const other = added(wheel, 5_000)
  wheel.move(other, 20)
  assert.deepEqual(wheel.turn(1_000), [late, other])
})

test('who is due after a turn of the wheel is found then, and who is never due never', () => {
  const wheel = wheelAt()
  const member = added(wheel, 3 * TURN + 50)
  const never = added(wheel, Infinity)
  for (let now = 0; now < 3 * TURN + 50; now += 30) assert.deepEqual(wheel.turn(now), [])
  assert.deepEqual(wheel.turn(3 * TURN + 50), [member])
  assert.equal(wheel.size, 2)
  wheel.move(member, 0)
  wheel.move(never, 0)
  assert.equal(wheel.turn(3 * TURN + 50).length, 2)
})

test('when nobody has turned it for longer than a turn, nobody is lost', () => {
  const wheel = wheelAt()
  const members = Array.from({ length: 200 }, (_, i) => added(wheel, i * 77))
  assert.deepEqual(new Set(wheel.turn(1e6)), new Set(members))
})

test('a stranger is neither moved nor deleted', () => {
  const wheel = wheelAt()
  const stranger = due(5)
  wheel.move(stranger, 250)
  assert.equal(wheel.delete(stranger), false)
  assert.equal(wheel.isDue(stranger, 300), false)
  assert.deepEqual([wheel.turn(300), wheel.size], [[], 0])
})

test('it finds whom one who looks at everybody finds, whatever is added, moved and deleted', () => {
  const time = fc.double({ min: 0, max: 2 * TURN, noNaN: true })
  const step = fc.oneof(
    fc.record({ act: fc.constant('add' as const), at: time }),
    fc.record({ act: fc.constant('move' as const), which: fc.nat(), at: time }),
    fc.record({ act: fc.constant('delete' as const), which: fc.nat() }),
    fc.record({
      act: fc.constant('turn' as const),
      by: fc.double({ min: 0, max: TURN, noNaN: true }),
    }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const wheel = wheelAt()
      const members: Due[] = []
      let now = 0
      for (const next of steps) {
        if (next.act === 'add') members.push(added(wheel, now + next.at - TURN))
        if (next.act === 'turn') {
          now += next.by
          const expected = members.filter(({ dueAt }) => dueAt <= now)
          const due = wheel.turn(now)
          assert.deepEqual(new Set(due), new Set(expected))
          for (const member of due) wheel.move(member, now + next.by)
        }
        const member = 'which' in next ? members[next.which % members.length] : undefined
        if (member === undefined) continue
        if (next.act === 'move') wheel.move(member, now + next.at)
        if (next.act === 'delete') {
          members.splice(members.indexOf(member), 1)
          assert.equal(wheel.delete(member), true)
        }
        assert.equal(wheel.size, members.length)
      }
    }),
  )
})
