import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Away } from '../../../lib/core/session/away.js'

/** What each session weighs beside its messages. */
const EACH = 8 * 1024

test('sessions that are away have room for all of them up to the maximum', () => {
  const away = new Away<string>(2 * EACH + 100)
  away.add('first', 40)
  away.add('second', 60)
  assert.equal(away.surplus, undefined)
  away.grow('second', 1)
  assert.equal(away.surplus, 'first')
})

test('the longest suspended one has to end, and then there is room again', () => {
  const away = new Away<string>(EACH)
  away.add('first', 0)
  away.add('second', 0)
  assert.equal(away.surplus, 'first')
  away.delete('first')
  assert.equal(away.surplus, undefined)
})

test('one that is too heavy for the maximum alone has to end itself', () => {
  const away = new Away<string>(EACH)
  away.add('only', 1)
  assert.equal(away.surplus, 'only')
  away.delete('only')
  assert.equal(away.surplus, undefined)
})

test('one that has come back, or was never away, weighs nothing', () => {
  const away = new Away<string>(EACH)
  away.add('first', 0)
  away.delete('first')
  away.delete('first')
  away.grow('first', 1e9)
  away.add('second', 0)
  assert.equal(away.surplus, undefined)
})

test('one that leaves a second time is the last in the order', () => {
  const away = new Away<string>(EACH)
  away.add('first', 0)
  away.delete('first')
  away.add('second', 0)
  away.add('first', 0)
  assert.equal(away.surplus, 'second')
})
