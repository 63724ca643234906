import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { Batch } from '../../lib/redis/batch.js'
import { FakeClock } from '../support/time/fake-clock.js'

test('what comes within 5 ms is written by one call, and each learns what came of it', async () => {
  const clock = new FakeClock()
  const calls: number[][] = []
  const batch = new Batch<number, string>(clock, async (entries) => {
    calls.push([...entries])
    return entries.map((entry) => `wrote ${entry}`)
  })
  const outcomes = Promise.all([batch.add(1), batch.add(2)])
  await clock.advance(4)
  assert.deepEqual(calls, [])
  const third = batch.add(3)
  await clock.advance(1)
  assert.deepEqual(calls, [[1, 2, 3]])
  assert.deepEqual(await outcomes, ['wrote 1', 'wrote 2'])
  assert.equal(await third, 'wrote 3')
  assert.equal(clock.pending, 0)
  const fourth = batch.add(4)
  await clock.advance(5)
  assert.equal(await fourth, 'wrote 4')
  assert.deepEqual(calls, [[1, 2, 3], [4]])
})

test('a call takes at most 256 entries, in their order', async () => {
  const clock = new FakeClock()
  const calls: number[][] = []
  const batch = new Batch<number, number>(clock, async (entries) => {
    calls.push([...entries])
    return entries
  })
  const all = Array.from({ length: 600 }, (_, at) => at)
  const outcomes = Promise.all(all.map(async (entry) => batch.add(entry)))
  assert.deepEqual(
    calls.map(({ length }) => length),
    [256, 256],
  )
  await clock.advance(5)
  assert.deepEqual(calls.flat(), all)
  assert.deepEqual(await outcomes, all)
  // What was written early has left nothing to do.
  const exactly = Promise.all(all.slice(0, 256).map(async (entry) => batch.add(entry)))
  await exactly
  await clock.advance(5)
  assert.equal(calls.length, 4)
})

test('a call that fails fails for those whose entries it had', async () => {
  const clock = new FakeClock()
  const failure = new Error('no Redis')
  let isAway = true
  const batch = new Batch<number, number>(clock, async (entries) => {
    if (isAway) throw failure
    return entries
  })
  const lost = [batch.add(1), batch.add(2)]
  const checks = lost.map(async (one) => assert.rejects(one, failure))
  await clock.advance(5)
  await Promise.all(checks)
  isAway = false
  const written = batch.add(3)
  await clock.advance(5)
  assert.equal(await written, 3)
})

test('it writes in the async context of none of those who wait', async () => {
  const clock = new FakeClock()
  const request = new AsyncLocalStorage<string>()
  const seen: Array<string | undefined> = []
  const batch = new Batch<number, number>(clock, async (entries) => {
    seen.push(request.getStore())
    return entries
  })
  await request.run('a', async () => {
    const all = Promise.all(Array.from({ length: 257 }, async (_, at) => batch.add(at)))
    await clock.advance(5)
    await all
    assert.equal(request.getStore(), 'a')
  })
  assert.equal(seen[0], undefined)
})
