// Releases that fail on the node that had the connection.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { durableRoute, entryOf, recording } from '../support/redis/durable.js'
import { gate, never } from '../support/time/gate.js'
import { untilAsync } from '../support/time/timed.js'

const DAY = 86_400_000

/** Fails as often as it is told to, and notes when it was called. */
function failing(clock: { now(): number }, times: number, fail: () => unknown) {
  const calls: number[] = []
  const release = (): unknown => {
    calls.push(clock.now())
    return calls.length <= times ? fail() : undefined
  }
  return { calls, release }
}

for (const [how, fail] of [
  ['throws', () => assert.fail('no database')],
  ['rejects', async () => Promise.reject(new Error('no database'))],
  ['rejects with nothing', async () => Promise.reject(undefined)],
  ['is no promise, but looks like one that throws', () => ({ then: () => assert.fail('no') })],
  [
    'cannot be looked at',
    () => Object.defineProperty({}, 'then', { get: () => assert.fail('hands off') }),
  ],
] as const) {
  test(`a release that ${how} is told, and tried again after 5, 10, 20 s`, async (t) => {
    const { clock, leave, record, records } = await recording(t)
    const { calls, release } = failing(clock, 3, fail)
    const hold = await record(entryOf(durableRoute(release)))
    const from = clock.now()
    await assert.rejects(hold.release())
    for (let second = 0; second < 35; second++) await clock.advance(1_000)
    assert.deepEqual(
      calls.map((at) => at - from),
      [0, 5_000, 15_000, 35_000],
    )
    await clock.advance(5)
    await untilAsync(async () => Object.keys(await records()).length === 0)
    await leave()
    assert.equal(clock.pending, 0)
  })
}

test('a release that never settles is tried again, each time after its cleanupTimeout', async (t) => {
  const { clock, record } = await recording(t)
  const { calls, release } = failing(clock, Infinity, () => never)
  const hold = await record(entryOf(durableRoute(release)))
  const from = clock.now()
  void hold.release()
  await clock.advance(30_000)
  assert.deepEqual(
    calls.map((at) => at - from),
    [0, 6_000, 17_000],
  )
})

test('a release that succeeds late is not tried again', async (t) => {
  const { clock, record, records } = await recording(t)
  const { opened, open } = gate()
  const { calls, release } = failing(clock, Infinity, () => opened)
  const hold = await record(entryOf(durableRoute(release)))
  const released = hold.release()
  await clock.advance(3_000)
  open()
  await released
  await clock.advance(DAY)
  assert.equal(calls.length, 1)
  assert.deepEqual(await records(), {})
})

test('a release that fails late is told late, and tried again', async (t) => {
  const { clock, record } = await recording(t)
  const { opened, open } = gate()
  const { calls, release } = failing(clock, 1, async () => {
    await opened
    throw new Error('late')
  })
  const hold = await record(entryOf(durableRoute(release)))
  const released = hold.release()
  await clock.advance(3_000)
  open()
  await assert.rejects(released, /late/)
  await clock.advance(3_000)
  assert.equal(calls.length, 2)
})

test('after a day it is given up, and the record is removed', async (t) => {
  const { clock, node, record, records } = await recording(t)
  const { calls, release } = failing(clock, Infinity, () => assert.fail('for ever'))
  const entry = entryOf(durableRoute(release))
  const hold = await record(entry)
  await assert.rejects(hold.release())
  await clock.advance(DAY - 300_000)
  assert.equal(Object.keys(await records()).length, 1)
  const before = calls.length
  await clock.advance(600_000)
  assert.ok(calls.length - before <= 2)
  await clock.advance(5)
  await untilAsync(async () => Object.keys(await records()).length === 0)
  const [line, ...more] = node.lines.filter(({ level }) => Number(level) >= 50)
  assert.deepEqual(more, [])
  assert.equal(line?.['msg'], 'a durable release has failed for a day, and is given up')
  assert.deepEqual([line['id'], line['node'], line['route']], [entry.id, 'one', '/chat'])
})

test('what has failed is tried again at the pace of all that is cleaned up', async (t) => {
  const { clock, durable } = await recording(t)
  const { calls, release } = failing(clock, 1_000, () => assert.fail('no database'))
  const recorded = Promise.all(
    Array.from({ length: 1_000 }, () => durable.record(entryOf(durableRoute(release)))),
  )
  await clock.advance(5)
  const released = await Promise.allSettled((await recorded).map((hold) => hold.release()))
  assert.equal(released.filter(({ status }) => status === 'rejected').length, 1_000)
  const from = clock.now() + 5_000
  await clock.advance(20_000)
  const again = calls.slice(1_000).map((at) => at - from)
  assert.equal(again.length, 1_000)
  const lasted = again.at(-1)!
  assert.ok(lasted > 9_900 && lasted < 10_100, String(lasted))
})

test('it is tried again in nobody’s async context', async (t) => {
  const { clock, record } = await recording(t)
  const store = new AsyncLocalStorage<string>()
  const seen: Array<string | undefined> = []
  const { release } = failing(clock, 1, () => assert.fail('once'))
  const route = durableRoute(() => {
    seen.push(store.getStore())
    return release()
  })
  const hold = await record(entryOf(route))
  await store.run('of a request', async () => assert.rejects(hold.release()))
  await clock.advance(5_000)
  assert.deepEqual(seen, ['of a request', undefined])
})

test('a removal that Redis has not heard is told again when it is back', async (t) => {
  const { clock, node, record, records, server } = await recording(t)
  const holds = [await record(entryOf(durableRoute(() => {})))]
  holds.push(await record(entryOf(durableRoute(() => {}))))
  server.pause()
  await holds[0]!.release()
  await clock.advance(2_005)
  node.isConnected = false
  const releasing = holds[1]!.release()
  await clock.advance(60_000)
  await releasing
  server.resume()
  // Redis has been asked about the second one, and told of the first.
  await untilAsync(async () => Object.keys(await records()).length === 1)
  node.isConnected = true
  await clock.advance(105)
  await untilAsync(async () => Object.keys(await records()).length === 0)
})

test('a node that leaves while releases have failed leaves these to others', async (t) => {
  const { clock, leave, record, records } = await recording(t)
  const good = await record(entryOf(durableRoute(() => {})))
  const entry = entryOf(durableRoute(() => assert.fail('no database')))
  const bad = await record(entry)
  await good.release()
  await assert.rejects(bad.release())
  await assert.rejects(leave(), /^Error: 1 durable releases are left to other nodes$/)
  assert.deepEqual(Object.keys(await records()), [entry.id])
  assert.equal(clock.pending, 0)
})
