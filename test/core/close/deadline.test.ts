import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { CloseDeadline } from '../../../lib/core/close/deadline.js'

test('a peer that takes nothing has the timeout, from when it was told to go', () => {
  const deadline = new CloseDeadline(3_000, 100, 7)
  assert.equal(deadline.look(100, 7), 3_000)
  assert.equal(deadline.look(3_099, 7), 1)
  assert.equal(deadline.look(3_100, 7), 0)
})

test('progress starts the timeout anew', () => {
  const deadline = new CloseDeadline(3_000, 0, 0)
  assert.equal(deadline.look(2_000, 1), 3_000)
  assert.equal(deadline.look(4_000, 1), 1_000)
  assert.equal(deadline.look(5_000, 1), 0)
})

test('where node does not tell what was taken, nothing is progress', () => {
  const deadline = new CloseDeadline(3_000, 0, undefined)
  assert.equal(deadline.look(2_000, undefined), 1_000)
})

test('who is told to hurry has one timeout from then on, however steady the progress', () => {
  const deadline = new CloseDeadline(3_000, 0, 0)
  deadline.hurry(1_000)
  assert.equal(deadline.look(2_000, 1), 2_000)
  assert.equal(deadline.look(3_900, 2), 100)
  assert.equal(deadline.look(4_000, 3), 0)
})

test('being told to hurry twice, or late, gives nobody more time', () => {
  const deadline = new CloseDeadline(3_000, 0, 0)
  deadline.hurry(1_000)
  deadline.hurry(2_500)
  assert.equal(deadline.look(2_500, 1), 1_500)
  const silent = new CloseDeadline(3_000, 0, 0)
  silent.hurry(2_000)
  assert.equal(silent.look(2_000, 0), 1_000)
})

test('however steady the progress, ten timeouts are enough', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 999 }), { minLength: 30 })
  fc.assert(
    fc.property(pauses, (gaps) => {
      const deadline = new CloseDeadline(1_000, 0, 0)
      let now = 0
      for (const [index, gap] of gaps.entries()) {
        now += gap
        assert.equal(deadline.look(now, index + 1), Math.min(1_000, 10_000 - now))
      }
    }),
  )
})
