import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Storm,
  STORM_BEGINS_AT,
  STORM_WINDOW,
  type StormSummary,
} from '../../../lib/core/diagnosis/storm.js'
import { randomFrom } from '../../support/models/random.js'

/** Ends that come at random, so many in a second on average, for so many ms. */
function* randomEnds(random: () => number, perSecond: number, duration: number): Iterable<number> {
  const gap = (): number => (-Math.log(1 - random()) * 1_000) / perSecond
  for (let at = gap(); at < duration; at += gap()) yield at
}

function end(storm: Storm, at: number, route = '/'): StormSummary | undefined {
  return storm.ended({ at, cause: 'connection-lost', route })
}

/** Lets so many connections end at once. @returns the storm that has begun */
function endAtOnce(
  storm: Storm,
  count: number,
  at: number,
  route?: string,
): StormSummary | undefined {
  const begun = Array.from({ length: count }, () => end(storm, at, route))
  return begun.find((summary) => summary !== undefined)
}

function counts({ count, causes, routes, first, last }: StormSummary): unknown {
  return { count, causes: Object.fromEntries(causes), routes: [...routes], first, last }
}

test('a storm begins with the end that makes it one, and has counted those before', () => {
  const storm = new Storm()
  assert.equal(endAtOnce(storm, 60, 1_000, '/a'), undefined)
  const at = 1_000 + STORM_WINDOW
  assert.equal(endAtOnce(storm, STORM_BEGINS_AT - 61, at, '/b'), undefined)
  const begun = end(storm, at, '/b')
  assert.equal(begun?.count, STORM_BEGINS_AT)
  endAtOnce(storm, 20, at, '/b')
  assert.deepEqual(counts(begun), {
    count: STORM_BEGINS_AT + 20,
    causes: { 'connection-lost': 120 },
    routes: [
      ['/a', 60],
      ['/b', STORM_BEGINS_AT - 40],
    ],
    first: 1_000,
    last: 1_000 + STORM_WINDOW,
  })
})

test('the same number of ends within a longer time is no storm', () => {
  const storm = new Storm()
  endAtOnce(storm, 60, 0)
  assert.equal(endAtOnce(storm, 60, STORM_WINDOW + 1), undefined)
})

test('a storm is over when few end, is told of again each minute, and may come again', () => {
  const storm = new Storm()
  const begun = endAtOnce(storm, STORM_BEGINS_AT, 0)
  const told: unknown[] = []
  for (let at = STORM_WINDOW; at <= 14 * STORM_WINDOW; at += STORM_WINDOW) {
    endAtOnce(storm, at <= 13 * STORM_WINDOW ? 50 : 49, at)
    const phase = storm.look(at)
    if (phase !== undefined) told.push([at, phase])
  }
  assert.deepEqual(told, [
    [60_000, 'lasting'],
    [120_000, 'lasting'],
    [140_000, 'over'],
  ])
  assert.equal(begun?.count, STORM_BEGINS_AT + 13 * 50 + 49)
  storm.stop()
  assert.equal(storm.look(150_000), 'over')
  assert.equal(endAtOnce(storm, STORM_BEGINS_AT, 150_000)?.count, STORM_BEGINS_AT)
})

test('a storm ends also where five end in a second all the time', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const storm = new Storm()
    const ends = [...randomEnds(randomFrom(seed), 5, 3_600_000)]
    endAtOnce(storm, 200, 0)
    let isOver = false
    for (let at = STORM_WINDOW; at <= 3_600_000 && !isOver; at += STORM_WINDOW) {
      for (const each of ends) if (each > at - STORM_WINDOW && each <= at) end(storm, each)
      isOver = storm.look(at) === 'over'
    }
    assert.ok(isOver, `seed ${seed}`)
  }
})

test('a day of five ends in a second is no storm, and twenty in a second are one within ten seconds', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const quiet = new Storm()
    for (const at of randomEnds(randomFrom(seed), 5, 86_400_000))
      assert.equal(end(quiet, at), undefined)
    const loud = new Storm()
    const ends = [...randomEnds(randomFrom(seed), 20, 60_000)]
    assert.ok(Number(ends.find((at) => end(loud, at) !== undefined)) < STORM_WINDOW)
  }
})
