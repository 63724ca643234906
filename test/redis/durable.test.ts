// The life of a record: from before the 101 until its release has run, and who gets none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DurableRecord, Json } from '../../lib/api/cluster.js'
import { durableRoute, entryOf, recording, refusedBy } from '../support/redis/durable.js'
import { tell } from '../support/redis/redis-server.js'
import { untilAsync } from '../support/time/timed.js'

test('a record is in Redis from before the 101 until its release has run', async (t) => {
  const { clock, leave, looker, node, record, records } = await recording(t)
  const seen: DurableRecord[] = []
  const selves: unknown[] = []
  const route = durableRoute(function (this: unknown, record: DurableRecord) {
    selves.push(this)
    seen.push(record)
  })
  node.fence = 1_700_000_000_123_456
  const entry = entryOf(route, { data: { user: 'ü', roles: ['a'] } })
  const hold = await record(entry)
  assert.equal(hold.id, entry.id)
  const { openedAt } = entry
  const written = { name: '/chat', openedAt, data: entry.data, fence: node.fence }
  assert.deepEqual(await records(), { [entry.id]: written })
  const left = Number(await looker.redis.command('PTTL', node.names.durableOf('one')))
  assert.ok(left > 86_000_000, String(left))
  hold.opened({ end: () => assert.fail('nobody ends it') })
  await hold.release()
  await clock.advance(5)
  await untilAsync(async () => Object.keys(await records()).length === 0)
  assert.deepEqual(seen, [{ ...written, id: entry.id, node: 'one', survivor: false }])
  assert.ok(Object.isFrozen(seen[0]) && Object.isFrozen(seen[0]?.data))
  assert.deepEqual(selves, [route.instance])
  await hold.release()
  assert.equal(seen.length, 1)
  await leave()
})

test('an upgrade that does not open leaves no record', async (t) => {
  const { clock, record, records } = await recording(t)
  const hold = await record(entryOf(durableRoute(() => assert.fail('nothing was held'))))
  hold.cancel()
  await clock.advance(5)
  assert.deepEqual(await records(), {})
})

test('many records are written together', async (t) => {
  const { clock, durable, server } = await recording(t)
  const route = durableRoute(() => {})
  const all = Promise.all(Array.from({ length: 512 }, () => durable.record(entryOf(route))))
  await clock.advance(5)
  await Promise.all((await all).map((hold) => hold.release()))
  await clock.advance(5)
  const stats = await tell(server.port, 'INFO commandstats')
  const calls = /cmdstat_eval:calls=(\d+)/.exec(stats)?.[1]
  assert.equal(calls, '4')
})

test('while Redis does not answer nobody is let in, and nothing is left of who was not', async (t) => {
  const { clock, durable, node, records, server } = await recording(t)
  server.pause()
  const asked = refusedBy(durable.record(entryOf(durableRoute(() => assert.fail()))))
  await clock.advance(5)
  await clock.advance(1_999)
  const later = refusedBy(durable.record(entryOf(durableRoute(() => assert.fail()))))
  await clock.advance(1)
  const error = await asked
  assert.deepEqual([error.code, error.statusCode], ['FST_ERR_WSL_CLUSTER_UNAVAILABLE', 503])
  assert.deepEqual(error.headers, { 'retry-after': '1' })
  node.isConnected = false
  const atOnce = await refusedBy(durable.record(entryOf(durableRoute(() => assert.fail()))))
  assert.deepEqual([atOnce.code, atOnce.headers], [error.code, error.headers])
  await clock.advance(2_005)
  assert.equal((await later).statusCode, 503)
  server.resume()
  // Redis hears now what it was told then.
  const writes = /cmdstat_hset:calls=2,/
  await untilAsync(async () => writes.test(await tell(server.port, 'INFO commandstats')))
  node.isConnected = true
  await clock.advance(105)
  await untilAsync(async () => Object.keys(await records()).length === 0)
})

const circle: { self?: unknown } = {}
circle.self = circle

for (const [what, data, got] of [
  ['too long', { text: 'ü'.repeat(2_048) }, '4107 bytes'],
  ['a date', { at: new Date() }, 'an instance of a class at .at'],
  ['endless', circle, 'more than 64 levels'],
  [
    'not to be read',
    Object.defineProperty({}, 'a', { enumerable: true, get: () => assert.fail() }),
    'one that cannot be read',
  ],
] as const) {
  test(`data that is ${what} is refused`, async (t) => {
    const { durable, records } = await recording(t)
    const entry = entryOf(
      durableRoute(() => {}),
      { data: data as unknown as Json },
    )
    const error = await refusedBy(durable.record(entry))
    assert.equal(error.code, 'FST_ERR_WSL_INVALID_OPTION')
    assert.equal(
      error.message,
      `Expected the answer of \`cluster.durable.data\` of /chat to be what JSON can carry, in at most 4096 bytes, got ${got}`,
    )
    assert.deepEqual(await records(), {})
  })
}

test('as much data as may be', async (t) => {
  const { record, records } = await recording(t)
  const data = 'ü'.repeat(2_047)
  const { id } = await record(
    entryOf(
      durableRoute(() => {}),
      { data },
    ),
  )
  assert.equal(((await records()) as Record<string, { data: string }>)[id]?.data, data)
})
