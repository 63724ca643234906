import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deferred } from '../../lib/platform/deferred.js'

test('a promise that somebody waits for is resolved', async () => {
  const deferred = new Deferred<number>()
  const { promise } = deferred
  deferred.resolve(1)
  assert.equal(await promise, 1)
})

test('one that somebody looks at later is resolved already', async () => {
  const deferred = new Deferred<undefined>()
  deferred.resolve(undefined)
  assert.equal(await deferred.promise, undefined)
})

test('everybody gets the same promise', () => {
  const [early, late] = [new Deferred<void>(), new Deferred<void>()]
  const before = early.promise
  early.resolve()
  late.resolve()
  assert.equal(early.promise, before)
  assert.equal(late.promise, late.promise)
})
