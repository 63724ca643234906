import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { BlockingCalls, type Call } from '../../../lib/core/diagnosis/blocking-call.js'

const call = (step: string, from: number, until: number): Call => ({
  route: '/',
  step,
  from,
  until,
})

function blame(now: number, lateness: number, ...calls: Call[]): string | undefined {
  const calling = new BlockingCalls()
  for (const each of calls) calling.note(each)
  return calling.blame(now, lateness)?.step
}

test('the call that ran for most of a stall is to blame, also if short ones came behind it', () => {
  assert.equal(blame(5_100, 4_000, call('long', 1_000, 5_000), call('short', 5_000, 5_050)), 'long')
  assert.equal(blame(5_100, 4_000, call('short', 900, 1_000), call('long', 1_000, 5_000)), 'long')
})

test('nobody is to blame if the longest call ran for less than half of it, or before it', () => {
  assert.equal(blame(5_000, 4_000), undefined)
  assert.equal(blame(5_000, 4_000, call('half', 1_000, 3_000)), undefined)
  assert.equal(blame(9_000, 2_000, call('before', 1_000, 7_500)), undefined)
})

test('a long call of long ago does not hide one that is shorter', () => {
  assert.equal(blame(10_000, 900, call('old', 0, 5_000), call('new', 9_000, 9_990)), 'new')
})

test('a call is blamed for one stall only, and one of less than 10 ms is not worth a note', () => {
  const calls = new BlockingCalls()
  calls.note(call('once', 0, 3_000))
  assert.equal(calls.blame(3_000, 2_500)?.step, 'once')
  assert.equal(calls.blame(3_500, 2_500), undefined)
  assert.deepEqual([BlockingCalls.isLong(0, 9.9), BlockingCalls.isLong(0, 10)], [false, true])
})

test('whatever ran, a call that is blamed has filled more than half of the stall', () => {
  const pieces = fc.array(
    fc.record({ pause: fc.nat(3_000), length: fc.integer({ min: 10, max: 8_000 }) }),
    { maxLength: 20 },
  )
  fc.assert(
    fc.property(pieces, fc.nat(3_000), fc.integer({ min: 10, max: 20_000 }), (all, after, late) => {
      const calls = new BlockingCalls()
      const made: Call[] = []
      let now = 0
      for (const { pause, length } of all) {
        now += pause
        made.push(call(String(made.length), now, now + length))
        now += length
      }
      for (const each of made) calls.note(each)
      now += after
      const blamed = calls.blame(now, late)
      if (blamed === undefined) return
      const within = blamed.until - Math.max(blamed.from, now - late)
      assert.ok(made.includes(blamed) && within > late / 2)
    }),
  )
})
