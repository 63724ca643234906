// A node with very many connections is gone: nobody else may suffer from it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DurableRoute } from '../../lib/cluster/cluster.js'
import {
  ALWAYS,
  LEASE,
  recordsOf,
  ScriptedRedis,
  survivingAlone,
} from '../support/redis/cleaning.js'
import { durableRoute } from '../support/redis/durable.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { never } from '../support/time/gate.js'

/** A survivor of a node with so many records. */
function afterStorm(count: number, clock: FakeClock, route: DurableRoute, rate: number) {
  const redis = new ScriptedRedis(recordsOf(count))
  const { survivor } = survivingAlone(redis, clock, route, { concurrency: 8, rate })
  survivor.onDead(['dead'], ALWAYS)
  return redis.records
}

test('10,000 records take 100 s, eight at once, and a loop that stands still changes little', async () => {
  const clock = new FakeClock()
  let running = 0
  let most = 0
  let over = 0
  const begun: number[] = []
  const route = durableRoute(async () => {
    begun.push(clock.now())
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, 60))
    running--
    over++
  })
  const records = afterStorm(10_000, clock, route, 100)
  for (let at = 0; at < 5_100; at++) {
    if (at % 1_000 === 500) clock.stall(40)
    await clock.advance(20)
  }
  assert.deepEqual([over, records.size, most], [10_000, 0, 8])
  const lasted = begun.at(-1)! - begun[0]!
  assert.ok(lasted > 99_000 && lasted < 101_000, String(lasted))
  for (let at = 0; at + 100 < begun.length; at++) {
    const second = begun[at + 100]! - begun[at]!
    if (second < 900) assert.fail(`101 began within ${second} ms`)
  }
})

test('releases that never settle hold up the others no longer than their cleanupTimeout', async () => {
  const clock = new FakeClock()
  const begun: number[] = []
  const route = durableRoute(() => {
    begun.push(clock.now())
    return never
  })
  afterStorm(80, clock, route, 1_000)
  await clock.advance(LEASE)
  const seconds = begun.slice(0, 80).map((at) => Math.floor((at - begun[0]!) / 1_000))
  assert.deepEqual(
    seconds,
    Array.from({ length: 80 }, (_, at) => Math.floor(at / 8)),
  )
})
